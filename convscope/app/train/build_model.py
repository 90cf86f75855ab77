"""From the configuration to a model, with the size and the preprocessing of its input."""

from dataclasses import dataclass
from pathlib import Path

import keras

from convscope.config.schema.train import (
    KerasApplicationConfig,
    ModelConfig,
    PretrainedConfig,
    PretrainedFileConfig,
    SmallConvnetConfig,
)
from convscope.errors import ConvscopeError
from convscope.models import pretrained, small_convnet
from convscope.models.applications import application
from convscope.models.bundle import CONTRACT_FILE, read_contract
from convscope.preprocessing import Preprocessing, by_name, resolve_preprocessing


@dataclass(frozen=True)
class BuiltModel:
    """A model that can be trained; its input's height and width in pixels; what it expects of pixels."""

    model: keras.Model
    input_size: tuple[int, int]
    preprocessing: Preprocessing


def build(config: ModelConfig, classes: int) -> BuiltModel:
    """The model that the configuration describes.

    Raises:
        ConvscopeError: weights, files or layers that do not fit, or a sigmoid for other than two classes.
    """
    if config.output == "sigmoid" and classes != 2:
        raise ConvscopeError(f"model.output=sigmoid is for two classes, the data set has {classes}")
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
        wanted = application(config.application)
        model = pretrained.from_application(
            wanted,
            classes,
            input_size=config.input_size or wanted.input_size,
            weights=config.weights,
            head=config,
        )
        preprocessing = by_name(config.preprocessing) if config.preprocessing else wanted.preprocessing
    else:
        assert isinstance(config, PretrainedFileConfig)
        path = Path(config.file).expanduser()
        preprocessing = _of_file(config, path)
        model = pretrained.from_file(path, classes, cut=config.cut, head=config, input_size=config.input_size)
    if isinstance(config, PretrainedConfig):
        pretrained.set_trainable(model, config.trainable)
    _, height, width, _ = model.inputs[0].shape
    if height is None or width is None:
        raise ConvscopeError("the model leaves the size of its input open: say model.input_size=PIXELS")
    return BuiltModel(model, (height, width), preprocessing)


def _of_file(config: PretrainedFileConfig, path: Path) -> Preprocessing:
    """What a saved model expects of pixels: as the configuration says, or the `model.json` beside it."""
    if config.preprocessing:
        return resolve_preprocessing(config.preprocessing, config.scale, config.offset)
    if (path.parent / CONTRACT_FILE).is_file():
        return read_contract(path.parent / CONTRACT_FILE).preprocessing
    raise ConvscopeError(
        f"what {path} expects of pixels is not known, and nobody should guess: say model.preprocessing="
        "unit_range, minus_one_to_one, caffe, torch or none, or affine with model.scale and model.offset"
    )
