"""Build the model that the configuration describes, with the size and the preprocessing of its input."""

from dataclasses import dataclass
from pathlib import Path

import keras

from convscope.config.schema.model import (
    KerasApplicationConfig,
    ModelConfig,
    PretrainedConfig,
    PretrainedFileConfig,
    SmallConvnetConfig,
)
from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.models import pretrained, small_convnet
from convscope.models.applications import application
from convscope.models.bundle import read_contract
from convscope.models.checkpoint_files import CONTRACT_FILE
from convscope.preprocessing import Preprocessing, by_name, resolve_preprocessing


@dataclass(frozen=True)
class BuiltModel:
    """A trainable model, with the height and width of its input in pixels, and its preprocessing."""

    model: keras.Model
    input_size: tuple[int, int]
    preprocessing: Preprocessing


def build(config: ModelConfig, classes: int) -> BuiltModel:
    """Build the model that the configuration describes.

    Raises:
        ConvscopeError: weights, files or layers do not fit, or output=sigmoid without two classes.
    """
    if config.output == "sigmoid" and classes != 2:
        raise ConvscopeError(
            f"model.output=sigmoid needs 2 classes, but the data set has {classes}: set model.output=softmax"
        )
    if isinstance(config, SmallConvnetConfig):
        assert config.input_size is not None
        model = small_convnet.build(
            classes,
            input_size=config.input_size,
            widths=config.widths,
            units=config.units,
            dropout=config.dropout,
            batch_normalization=config.batch_normalization,
            output=config.output.value,
        )
        preprocessing = by_name(config.preprocessing or "unit_range")
    elif isinstance(config, KerasApplicationConfig):
        network = application(config.application)
        model = pretrained.from_application(
            network,
            classes,
            input_size=config.input_size or network.input_size,
            weights=config.weights,
            head=config,
        )
        preprocessing = by_name(config.preprocessing) if config.preprocessing else network.preprocessing
    else:
        assert isinstance(config, PretrainedFileConfig)
        path = user_path(config.file)
        preprocessing = _preprocessing_of_file(config, path)
        model = pretrained.from_file(path, classes, cut=config.cut, head=config, input_size=config.input_size)
    if isinstance(config, PretrainedConfig):
        pretrained.set_trainable(model, config.trainable)
    _, height, width, _ = model.inputs[0].shape
    if height is None or width is None:
        raise ConvscopeError("the model accepts inputs of any size: set model.input_size=PIXELS")
    return BuiltModel(model, (height, width), preprocessing)


def _preprocessing_of_file(config: PretrainedFileConfig, path: Path) -> Preprocessing:
    """Return the preprocessing of a saved model: from the configuration, or the `model.json` beside it."""
    if config.preprocessing:
        return resolve_preprocessing(config.preprocessing, config.scale, config.offset)
    return read_contract(path.parent / CONTRACT_FILE).preprocessing
