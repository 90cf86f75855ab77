"""Build the page of a finished run again, and open it in a browser; neither needs TensorFlow."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from convscope import run_directories
from convscope.app.visualize.findings import findings
from convscope.app.visualize.mistakes import mistakes
from convscope.app.visualize.training_results import run_of, settings_of_run, sweep_of, training_results
from convscope.errors import ConvscopeError
from convscope.files import read_json, sha256, write_json
from convscope.render.page import FOLDER, FORMAT, PAGE, SAVED, write_page

_MANIFEST = "manifest.json"
_Result = TypeVar("_Result")


def with_results(content: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a page as JSON with the results of the training of its models, and with the findings.

    Args:
        content: the page as JSON. What it has already is kept for a model without results.
        results: the results of each model.
    """
    checkpoints = content["checkpoints"]
    several = len(checkpoints) > 1
    earlier = content.get("runs") or [None] * len(checkpoints)
    runs = [
        before
        if before and not of_model
        else {"title": title, "metrics": of_model.get("metrics", {}), "settings": settings_of_run(path)}
        for title, path, of_model, before in zip(
            content["models"], checkpoints, results, earlier, strict=True
        )
    ]
    training = {**content.get("training", {}), **(sweep_of(checkpoints) if several else results[0])}
    result = {**content, "training": training, "runs": runs if several else []}
    return {**result, "findings": findings(result)}


def results_of(content: Mapping[str, Any], hashes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the results of each model of a page; none if its file is no longer the one that was drawn.

    Args:
        content: the page as JSON.
        hashes: the SHA-256 of each model, from the manifest.
    """
    return [
        training_results(path) if run_of(path) and sha256(Path(path)) == digest else {}
        for path, digest in zip(content["checkpoints"], hashes, strict=True)
    ]


def photographs_of_mistakes(
    content: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    """Return the files with the photographs behind the confusion matrix; see `mistakes`."""
    if len(results) > 1 or not results[0]:
        return {}
    photographs = {one["sha256"]: one["key"] for one in content["photographs"] if "sha256" in one}
    return mistakes(content["checkpoints"][0], results[0].get("data", {}), photographs)


def rebuild(directory: Path) -> Path:
    """Write the page of a finished run again, from the files in its directory; return its path.

    Raises:
        ConvscopeError: the directory has no page of this version of convscope, or `page` leads out of it.
    """
    if _read(directory, SAVED, lambda saved: saved.get("format")) != FORMAT:
        raise ConvscopeError(
            f"{directory} was drawn by another version of convscope, and its data do not fit the page of "
            "this one: draw the views again"
        )
    manifest, listed, hashes = _read(directory, _MANIFEST, _with_listed)
    content, others = _read(directory, SAVED, partial(_page_of, hashes))
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


def _page_of(hashes: Sequence[str], saved: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the page with the results of the training, and the photographs of its mistakes."""
    results = results_of(saved, hashes)
    content = with_results(saved, results)
    content["title"] = str(content["title"])
    return content, photographs_of_mistakes(content, results)


def _with_listed(manifest: Any) -> tuple[dict[str, Any], set[str], list[str]]:
    """Return a manifest, the paths of the files that it lists, and the SHA-256 of its models."""
    listed = {str(entry["path"]) for entry in manifest["files"]}
    return dict(manifest), listed, [str(model["sha256"]) for model in manifest["models"]]


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
