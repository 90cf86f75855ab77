"""Build the page of a finished run again, and open it in a browser; neither needs TensorFlow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convscope import run_directories
from convscope.app.visualize.findings import findings
from convscope.app.visualize.mistakes import mistakes
from convscope.app.visualize.training_results import settings_of_run, training_results
from convscope.errors import ConvscopeError
from convscope.files import read_json, write_json
from convscope.render.page import PAGE, SAVED, write_page

_MANIFEST = "manifest.json"


def with_results(
    content: Mapping[str, Any], results: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a page as JSON with the results of the training of its models, and with the findings.

    Results that the page has already are kept where the run of the training is no longer there.

    Args:
        content: the page as JSON.
        results: the results of each model; None reads them.
    """
    checkpoints = content["checkpoints"]
    found = [training_results(path) for path in checkpoints] if results is None else results
    several = len(checkpoints) > 1
    training = {**content.get("training", {}), **({} if several else found[0])}
    runs = [
        {"title": title, "metrics": of_model.get("metrics", {}), "settings": settings_of_run(path)}
        for title, path, of_model in zip(content["models"], checkpoints, found, strict=True)
    ]
    result = {**content, "training": training, "runs": runs if several else []}
    return {**result, "findings": findings(result)}


def photographs_of_mistakes(content: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files with the photographs behind the confusion matrix; see `mistakes`."""
    if len(content["checkpoints"]) > 1:
        return {}
    photographs = {one["sha256"]: one["key"] for one in content["photographs"] if "sha256" in one}
    return mistakes(content["checkpoints"][0], content["training"].get("data", {}), photographs)


def rebuild(directory: Path) -> Path:
    """Write the page of a finished run again, from the files in its directory; return its path.

    Raises:
        ConvscopeError: the directory has no page of this version of convscope.
    """
    try:
        content = read_json(directory / SAVED)
        manifest = read_json(directory / _MANIFEST)
        with_page = with_results(content)
    except OSError:
        raise ConvscopeError(
            f"{directory} has no {SAVED}: views=[page] builds the page of a finished run again; set "
            "hydra.run.dir=RUN to the run directory, or draw views first"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConvscopeError(
            f"malformed {directory / SAVED}: expected the file that stage 3 wrote; draw the views again"
        ) from None
    with run_directories.locked(directory):
        written = write_page(directory.joinpath, with_page, photographs_of_mistakes(with_page))
        listed = {entry["path"] for entry in manifest["files"]}
        manifest["files"] += [{"path": path} for path in written if path not in listed]
        write_json(directory / _MANIFEST, manifest)
    print(f"written: {directory / PAGE}")
    return directory / PAGE
