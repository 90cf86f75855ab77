"""The directory of a training run: a new one, or that of an interrupted run."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

from convscope.config import launch as configuration
from convscope.config.schema.train import TrainConfig
from convscope.errors import ConvscopeError
from convscope.models.bundle import MODEL_FILE
from convscope.models.snapshots import remove_snapshots
from convscope.training import state

CONFIG_FILE, METRICS_FILE, TENSORBOARD = "config.yaml", "metrics.json", "tensorboard"
_FILES = (
    MODEL_FILE, METRICS_FILE, state.FILE, "history.csv", "curves.png", "head/history.csv", "head/curves.png",
    "augmented_batch.png", "label_errors.csv", "predictions.csv", "report.html",
)  # fmt: skip


def settings(config: TrainConfig) -> str:
    """Return the configuration as YAML, without the options that only control the start of the run."""
    return configuration.to_yaml(replace(config, resume=False, overwrite=False, debug=False))


def choose(config: TrainConfig, directory: Path) -> Path:
    """Return the directory to train in: `directory`, or with `resume` that of the last interrupted run.

    If no run is interrupted, `resume` starts a new one: a run may be killed before it writes its settings.

    Raises:
        ConvscopeError: the interrupted runs have other settings.
    """
    current_settings = settings(config)
    if config.resume and not _is_interrupted(directory, current_settings):
        runs = [path.parent for path in directory.parent.glob(f"*/{CONFIG_FILE}")]
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
    """Raise ConvscopeError if the directory holds another run that may not be replaced."""
    if (directory / METRICS_FILE).exists() and not config.overwrite:
        (directory / state.FILE).unlink(missing_ok=True)  # the run was killed when it was complete
        raise ConvscopeError(
            f"{directory} already holds a trained model: set overwrite=true to replace it, or choose "
            "another hydra.run.dir"
        )
    started = any((directory / name).exists() for name in (MODEL_FILE, state.FILE))
    if started and not config.overwrite and not _is_interrupted(directory, settings(config)):
        raise ConvscopeError(
            f"{directory} holds an interrupted run with other settings: use those settings to resume it, "
            "set overwrite=true to replace it, or choose another hydra.run.dir"
        )


def clear(directory: Path) -> None:
    """Remove the files of an earlier run, because this run may not overwrite all; keep other files."""
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    for events in (directory / TENSORBOARD).rglob("events.out.tfevents.*"):
        events.unlink()
    remove_snapshots(directory)


def _is_interrupted(directory: Path, settings: str) -> bool:
    """Return whether the directory holds an unfinished run with these settings."""
    path = directory / CONFIG_FILE
    return path.is_file() and path.read_text("utf-8") == settings and not (directory / METRICS_FILE).exists()


def command(directory: Path, *, again: bool = False) -> str:
    """Return the command that resumes this run in `directory`, or with `again` the one that repeats it."""
    skipped = ("hydra.run.dir=", "overwrite=", "resume=")
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith(skipped)]
    resume = [] if again else [f"hydra.run.dir={directory}", "resume=true"]
    return "python " + shlex.join([sys.argv[0], *arguments, *resume])
