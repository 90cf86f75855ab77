"""The directory of a training run: a new one, or that of an interrupted run."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from convscope import invocation
from convscope.app.train import model_card
from convscope.app.train.announce import LAYERS_FILE
from convscope.config.registry import to_yaml
from convscope.config.schema.train import TrainConfig
from convscope.errors import ConvscopeError
from convscope.models import snapshots
from convscope.models.checkpoint_files import CONTRACT_FILE, MODEL_FILE
from convscope.training import state

CONFIG_FILE, METRICS_FILE, TENSORBOARD = "config.yaml", "metrics.json", "tensorboard"
_FILES = (
    MODEL_FILE, METRICS_FILE, state.FILE, "history.csv", "curves.png", "head/history.csv", "head/curves.png",
    "augmented_batch.png", "label_errors.csv", "familiarity.npz", "predictions.csv", "report.html",
)  # fmt: skip


def settings(config: TrainConfig) -> str:
    """Return the configuration as YAML, without the options that only control the start of the run."""
    started = replace(config, resume=False, overwrite=False, debug=False)
    return to_yaml(started, without=["sweep"])


def choose(config: TrainConfig, directory: Path) -> Path:
    """Return the directory to train in: `directory`, or with `resume` that of the last interrupted run.

    If no run is interrupted, `resume` starts a new one: a run may be killed before it writes its settings.

    Raises:
        ConvscopeError: the interrupted runs have other settings.
    """
    current_settings = settings(config)
    if config.resume and not _is_interrupted(directory, current_settings):
        found = [path.parent for path in directory.parent.glob(f"*/{CONFIG_FILE}")]
        runs = [run for run in found if not run.is_symlink()]  # the link `latest` is no further run
        interrupted = [run for run in runs if _is_interrupted(run, current_settings)]
        if interrupted:
            return max(interrupted, key=lambda run: (run / CONFIG_FILE).stat().st_mtime)
        if not all((run / METRICS_FILE).exists() for run in runs):
            raise ConvscopeError(
                f"resume=true, but {directory.parent} holds no interrupted run with these settings: set "
                "hydra.run.dir=RUN, or remove resume=true"
            )
        if not (directory / METRICS_FILE).exists():
            print(f"{directory.parent} has no interrupted run; starting a new run in {directory}")
    return directory


def check(config: TrainConfig, directory: Path) -> None:
    """Raise ConvscopeError if the directory holds another run, or results, that may not be replaced."""
    if config.overwrite:
        return
    if (directory / METRICS_FILE).exists():
        (directory / state.FILE).unlink(missing_ok=True)  # the run was killed when it was complete
        raise ConvscopeError(
            f"{directory} already holds a trained model: set overwrite=true to replace it, or choose "
            "another hydra.run.dir"
        )
    started = any((directory / name).exists() for name in (MODEL_FILE, state.FILE))
    if started and not _is_interrupted(directory, settings(config)):
        raise ConvscopeError(
            f"{directory} holds an interrupted run with other settings: use those settings to resume it, "
            "set overwrite=true to replace it, or choose another hydra.run.dir"
        )
    made = [path for path in (directory / name for name in _FILES) if path.exists()]
    if made and not (directory / CONFIG_FILE).exists():
        raise ConvscopeError(
            f"{made[0]} exists already, and is not of a training: set overwrite=true to replace it, or "
            "choose another hydra.run.dir"
        )


def check_results(config: TrainConfig, directory: Path, name: str) -> None:
    """Raise ConvscopeError if the file `name` of an evaluation or a prediction would replace another result.

    The results are also refused in the directory of an interrupted training, which could not be resumed.
    """
    if (directory / CONFIG_FILE).exists() and not (directory / METRICS_FILE).exists():
        raise ConvscopeError(
            f"{directory} holds an interrupted run, which could not be resumed: choose another hydra.run.dir"
        )
    if (directory / name).exists() and not config.overwrite:
        raise ConvscopeError(
            f"{directory / name} exists already: set overwrite=true, or choose another hydra.run.dir"
        )


def clear(directory: Path) -> None:
    """Remove the files of an earlier run, because this run may not overwrite all; keep other files."""
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    for events in (directory / TENSORBOARD).rglob("events.out.tfevents.*"):
        events.unlink()
    snapshots.remove_snapshots(directory)
    model_card.remove_generated(directory)


@contextmanager
def without_failure(directory: Path) -> Iterator[None]:
    """Remove the files of a training that fails before it has a model; an interrupted one can be resumed."""
    try:
        yield
    except Exception:
        if not (directory / MODEL_FILE).exists():
            clear(directory)
            for name in (CONFIG_FILE, CONTRACT_FILE, LAYERS_FILE):
                (directory / name).unlink(missing_ok=True)
            for name in ("head", snapshots.FOLDER, TENSORBOARD):
                _remove_empty_folders(directory / name)
        raise


def _remove_empty_folders(folder: Path) -> None:
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:
        with suppress(OSError):
            path.rmdir()


def _is_interrupted(directory: Path, settings: str) -> bool:
    """Return whether the directory holds an unfinished run with these settings."""
    path = directory / CONFIG_FILE
    return path.is_file() and path.read_text("utf-8") == settings and not (directory / METRICS_FILE).exists()


def command(directory: Path, *, again: bool = False) -> str:
    """Return the command that resumes this run in `directory`, or with `again` the one that repeats it."""
    skipped = ("hydra.run.dir=", "overwrite=", "resume=")
    arguments = [argument for argument in invocation.get().arguments if not argument.startswith(skipped)]
    resume = [] if again else [f"hydra.run.dir={directory}", "resume=true"]
    return invocation.command("train", [*arguments, *resume])
