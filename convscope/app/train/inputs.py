"""Checks of the files that stage 2 reads, before the import of TensorFlow, which takes seconds."""

from importlib.util import find_spec

from convscope.config.schema.model import KerasApplicationConfig, ModelConfig, PretrainedFileConfig
from convscope.config.schema.train import Logger, TrainConfig
from convscope.data import image_paths
from convscope.data.manifest import open_dataset
from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.models.checkpoint_files import (
    CONTRACT_FILE,
    check_model_file,
    check_weights_file,
    find_model_file,
)


def check_inputs(config: TrainConfig) -> None:
    """Raise ConvscopeError if a package, a checkpoint, a file, an image or the data set is missing."""
    if config.logger is Logger.tensorboard and find_spec("tensorboard") is None:
        raise ConvscopeError(
            "logger=tensorboard needs TensorBoard, which is not installed: run "
            "'python -m pip install tensorboard', or remove logger=tensorboard"
        )
    checkpoints = [config.predict] if config.predict else config.evaluate
    for checkpoint in checkpoints:
        find_model_file(user_path(checkpoint))
    if not checkpoints:
        _check_model(config.model)
    if config.predict:
        image_paths.find(config.images)
    else:
        assert config.dataset.name is not None
        open_dataset(user_path(config.dataset.root) / config.dataset.name, config.dataset.fold)


def _check_model(config: ModelConfig) -> None:
    if isinstance(config, KerasApplicationConfig) and config.weights not in (None, "imagenet"):
        check_weights_file(user_path(str(config.weights)))
    if not isinstance(config, PretrainedFileConfig):
        return
    path = user_path(config.file)
    check_model_file(path)
    if config.preprocessing is None and not (path.parent / CONTRACT_FILE).is_file():
        raise ConvscopeError(
            f"unknown preprocessing for {path}: set model.preprocessing=unit_range, minus_one_to_one, "
            "caffe, torch, none, or affine with model.scale and model.offset"
        )
