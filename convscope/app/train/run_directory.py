"""The directory of a training run: a new one, that of a run which was stopped, or refused."""

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
    """The configuration as `config.yaml`, without what only says how the run is started."""
    return configuration.to_yaml(replace(config, resume=False, overwrite=False, debug=False))


def choose(config: TrainConfig, directory: Path) -> Path:
    """Where to train: `directory`, or with `config.resume` that of the last run which was stopped.

    Raises:
        ConvscopeError: a run is there that is not this one, or there is none to go on with.
    """
    wanted = settings(config)
    if config.resume and not _is_stopped(directory, wanted):
        runs = [path.parent for path in directory.parent.glob(f"*/{CONFIG_FILE}")]
        stopped = [run for run in runs if _is_stopped(run, wanted)]
        if not stopped:
            raise ConvscopeError(
                f"resume=true, and no run with these settings was stopped under {directory.parent}: say "
                "hydra.run.dir=RUN, or begin without resume"
            )
        return max(stopped, key=lambda run: (run / CONFIG_FILE).stat().st_mtime)
    if (directory / METRICS_FILE).exists() and not config.overwrite:
        raise ConvscopeError(
            f"{directory} holds a trained model: say overwrite=true to train anew into it, or choose "
            "another hydra.run.dir"
        )
    begun = any((directory / name).exists() for name in (MODEL_FILE, state.FILE))
    if begun and not config.overwrite and not _is_stopped(directory, wanted):
        raise ConvscopeError(
            f"{directory} holds a run with other settings that was stopped: give its settings to go on, say "
            "overwrite=true to train anew into it, or choose another hydra.run.dir"
        )
    return directory


def clear(directory: Path) -> None:
    """Remove what an earlier run left that this one may not write again, and nothing else."""
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    for events in (directory / TENSORBOARD).rglob("events.out.tfevents.*"):
        events.unlink()
    remove_snapshots(directory)


def _is_stopped(directory: Path, settings: str) -> bool:
    """Whether a run with these settings was begun there and did not come to its end."""
    path = directory / CONFIG_FILE
    return path.is_file() and path.read_text("utf-8") == settings and not (directory / METRICS_FILE).exists()


def command(directory: Path, *, again: bool = False) -> str:
    """What was typed, to go on in `directory` or to do it again."""
    given = [
        each for each in sys.argv[1:] if not each.startswith(("hydra.run.dir=", "overwrite=", "resume="))
    ]
    on = [] if again else [f"hydra.run.dir={directory}", "resume=true"]
    return "python " + shlex.join([sys.argv[0], *given, *on])
