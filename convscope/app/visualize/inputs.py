"""Checks of the files that stage 3 reads, before the import of TensorFlow, which takes seconds."""

from pathlib import Path

from convscope.config.schema.visualize import APPLICATION, RANDOM, VisualizeConfig
from convscope.data import image_paths
from convscope.data.label_table import read_table
from convscope.files import user_path
from convscope.models.checkpoint_files import (
    check_weights_file,
    find_last_run,
    find_model_file,
    is_run_directory,
)


def check_inputs(config: VisualizeConfig) -> None:
    """Raise ConvscopeError if a checkpoint, a file of weights, a photograph or a table is missing."""
    for entry in config.compare:
        if entry not in (RANDOM, APPLICATION) and not entry.endswith(".npz"):  # a snapshot
            _check_checkpoint(entry, config)
    if config.application:
        if config.weights not in (None, "imagenet"):
            check_weights_file(user_path(str(config.weights)))
    elif config.checkpoint:
        _check_checkpoint(config.checkpoint, config)
    elif not config.compare:
        find_last_run(Path("outputs"))
    paths = image_paths.find(config.images, videos=True)
    if paths:
        image_paths.part_of(paths, config.shard, config.shards)
    if config.labels:
        read_table("labels", user_path(config.labels))


def _check_checkpoint(checkpoint: str, config: VisualizeConfig) -> None:
    path = user_path(checkpoint)
    file = find_model_file(path)
    if not is_run_directory(path):
        config.check_preprocessing(file)
        config.read_class_names()
