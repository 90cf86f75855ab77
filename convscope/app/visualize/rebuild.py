"""Build the page of a finished run again, and open it in a browser; neither needs TensorFlow."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from convscope import run_directories
from convscope.app.visualize.findings import findings
from convscope.app.visualize.mistakes import mistakes
from convscope.app.visualize.training_results import settings_of_run, training_results
from convscope.errors import ConvscopeError
from convscope.files import read_json, write_json
from convscope.render.page import FOLDER, PAGE, SAVED, write_page

_MANIFEST = "manifest.json"
_Result = TypeVar("_Result")


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
    return mistakes(content["checkpoints"][0], content["training"].get("data", {}))


def rebuild(directory: Path) -> Path:
    """Write the page of a finished run again, from the files in its directory; return its path.

    Raises:
        ConvscopeError: the directory has no page of this version of convscope, or `page` leads out of it.
    """
    content, others = _read(directory, SAVED, _page_of)
    manifest, listed = _read(directory, _MANIFEST, _with_listed)
    if not (directory / FOLDER).resolve().is_relative_to(directory.resolve()):
        raise ConvscopeError(
            f"{directory / FOLDER} is a symbolic link to another folder, and its files would be replaced: "
            "delete the link"
        )
    with run_directories.locked(directory):
        written = write_page(directory.joinpath, content, others)
        new = [{"path": path} for path in written if path not in listed]
        manifest["files"] = [*manifest["files"], *new]
        write_json(directory / _MANIFEST, manifest)
    print(f"written: {directory / PAGE}")
    return directory / PAGE


def _page_of(saved: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the page with the results of the training, and the photographs of its mistakes."""
    content = with_results(saved)
    content["title"] = str(content["title"])
    return content, photographs_of_mistakes(content)


def _with_listed(manifest: Any) -> tuple[dict[str, Any], set[str]]:
    """Return a manifest, and the paths of the files that it lists."""
    return dict(manifest), {str(entry["path"]) for entry in manifest["files"]}


def _read(directory: Path, name: str, of_content: Callable[[Any], _Result]) -> _Result:
    """Return what a function makes of a JSON file that stage 3 wrote.

    Raises:
        ConvscopeError: there is no such file, or the function fails on its content.
    """
    try:
        return of_content(read_json(directory / name))
    except OSError:
        raise ConvscopeError(
            f"{directory} has no {name}: views=[page] builds the page of a finished run again; set "
            "hydra.run.dir=RUN to the run directory, or draw views first"
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        raise ConvscopeError(
            f"malformed {directory / name}: expected the file that stage 3 wrote; draw the views again"
        ) from None
