"""The names of run directories: after the date, the model and the data set."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convscope import names, run_directories
from convscope.errors import ConvscopeError
from convscope.models.checkpoint_files import MODEL_FILE, SUFFIXES, find_last_run


def register(stage: str) -> None:
    """Define `${run_name:}` and `${sweep_folder:}` for the configuration of Hydra: file names."""
    parts = {"train": _of_training, "visualize": _of_visualization}.get(stage)
    if parts:
        OmegaConf.register_new_resolver("run_name", lambda *, _root_: _join(parts, _root_), replace=True)
    OmegaConf.register_new_resolver("sweep_folder", _sweep_folder, replace=True)


def _sweep_folder(*, _root_: DictConfig) -> str:
    """Return the name of a shard; of any other job of a sweep, its number and the name of its run."""
    if _root_.shards > 1:
        return f"shard_{_root_.shard}"
    return f"{_root_.hydra.job.num}_{_join(_of_visualization, _root_)}"


def _join(parts: Callable[[DictConfig], list[Any]], config: DictConfig) -> str:
    """Return the parts as one file name of letters, digits and `.+-_`; errors are reported elsewhere."""
    try:
        given = [re.sub(r"[^\w.+-]+", "_", str(part)) for part in parts(config) if part]
    except (ConvscopeError, OmegaConfBaseException, OSError):
        given = []
    if len(given) > 1 and given[-2].endswith(given[-1]):  # the run that is evaluated names its data set
        given.pop()
    return names.file_name("_".join(given) or "run")


def _of_training(config: DictConfig) -> list[Any]:
    """Return the model and the data set; with evaluate and predict, the model is that of another run."""
    data = (
        config.dataset.name or Path(config.dataset.get("source") or config.dataset.get("kaggle") or "").name
    )
    if config.predict:
        return ["predict", _checkpoint_name(Path(config.predict))]
    if config.evaluate:
        return [
            "soup" if config.soup else "evaluate",
            _checkpoint_name(Path(config.evaluate[0])),
            data,
        ]
    return [_network(config), data]


def _network(config: DictConfig) -> str:
    """Return the application or the file of a pretrained network, or the choice in the group `model`."""
    if "application" in config.model:
        return str(config.model.application)
    if "file" in config.model:
        return _checkpoint_name(Path(config.model.file))
    return str(config.hydra.runtime.choices.model)


def _of_visualization(config: DictConfig) -> list[Any]:
    """Return the models, by their run or file."""
    if config.compare:
        return ["compare", *(_checkpoint_name(Path(entry)) for entry in config.compare)]
    if config.application:
        return [config.application]
    run = Path(config.checkpoint) if config.checkpoint else find_last_run(run_directories.OUTPUTS)
    return [_checkpoint_name(run)]


def _checkpoint_name(checkpoint: Path) -> str:
    """Return the name of a run without its date, or the name of a file without its suffix."""
    path = run_directories.follow_latest(checkpoint)
    if path.suffix in SUFFIXES and path.name != MODEL_FILE:  # a run may be named dropout=0.1
        return path.stem
    return run_directories.without_date(path.parent.name if path.name == MODEL_FILE else path.name)
