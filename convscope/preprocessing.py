"""Preprocessing: from pixels to the input of a model. It has a name and is stored with the model.

A preprocessing is an affine map for each channel, after an optional change of the order of the channels. The
samplewise normalization of Keras' ImageDataGenerator can follow. Training, evaluation and all views use
`Preprocessing.encode`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from convscope.errors import ConvscopeError, unknown

Triple = tuple[float, float, float]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TINY = 1e-6  # added by ImageDataGenerator before a division


@dataclass(frozen=True)
class Preprocessing:
    """The map from pixels to the input of a model: `pixels[..., order] * scale + offset`.

    `name` identifies the preprocessing in `model.json` and in messages. `order` is "rgb", "bgr", or "grey"
    for models with one channel (the luma of ITU-R BT.601, as in Pillow and Keras). `scale` and `offset` have
    one number per channel, in that order; for grey, three equal numbers. `samplewise_center` then subtracts
    the mean of the picture's values, and `samplewise_std` divides them by their standard deviation; neither
    can be inverted.
    """

    name: str
    scale: Triple
    offset: Triple
    order: str = "rgb"
    samplewise_center: bool = False
    samplewise_std: bool = False

    @property
    def channels(self) -> int:
        """Number of channels of the model's input."""
        return 1 if self.order == "grey" else 3

    @property
    def channel_names(self) -> list[str]:
        """The channels of the model's input in their order, such as red, green and blue."""
        names = ["red", "green", "blue"]
        return ["grey"] if self.order == "grey" else names[::-1] if self.order == "bgr" else names

    def grey(self) -> "Preprocessing":
        """Return the same preprocessing for a model with one channel.

        Raises:
            ConvscopeError: the channels have different scales or offsets.
        """
        if len(set(self.scale)) > 1 or len(set(self.offset)) > 1:
            raise ConvscopeError(
                f"preprocessing={self.name} has different values for red, green and blue, but the input of "
                "the model is grey: expected a preprocessing with equal values"
            )
        return replace(self, order="grey")

    @property
    def invertible(self) -> bool:
        """Whether `decode` can recover the pixels."""
        return not (self.samplewise_center or self.samplewise_std)

    def encode(self, pixels: Any) -> Any:
        """Return the model's input, float32 (..., channels), for RGB pixels (..., 3), 0 to 255.

        The pixels are an array or a tensor, and so is the result.
        """
        ordered = self._ordered(pixels)
        scale, offset = (
            np.array(values[: self.channels], np.float32) for values in (self.scale, self.offset)
        )
        values = ordered * scale + offset
        if self.samplewise_center:
            values = values - _moment_of_picture("mean", values)
        if self.samplewise_std:
            values = values / (_moment_of_picture("std", values) + _TINY)
        return values

    def featurewise(self, mean: np.ndarray, deviation: np.ndarray | None) -> "Preprocessing":
        """Return this preprocessing followed by the featurewise normalization of ImageDataGenerator.

        It subtracts a mean per channel and, if given, divides by a standard deviation per channel, both
        float (3,). The result is affine.
        """
        assert self.invertible
        divisor = np.ones(3) if deviation is None else deviation + _TINY
        scale, offset = np.array(self.scale) / divisor, (np.array(self.offset) - mean) / divisor
        return replace(self, name=f"{self.name}_featurewise", scale=_triple(scale), offset=_triple(offset))

    def _ordered(self, pixels: Any) -> Any:
        if self.order == "grey":
            red, green, blue = (pixels[..., channel : channel + 1] for channel in range(3))
            return red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
        return pixels[..., ::-1] if self.order == "bgr" else pixels

    @cached_property
    def table(self) -> np.ndarray:
        """Result of `encode` for each of 256 levels in each channel, float32 (1, 256, 3).

        It is valid only for an invertible preprocessing, where a value does not depend on other pixels.
        """
        levels = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
        return self.encode(levels)[None]

    def decode(self, values: Any) -> Any:
        """Return RGB pixels, float32 (..., 3), 0 to 255, for a model's input: the inverse of `encode`.

        Raises:
            ConvscopeError: the preprocessing cannot be inverted.
        """
        if not self.invertible:
            raise ConvscopeError(f"the preprocessing {self.name} is samplewise and cannot be inverted")
        ordered = (values - np.array(self.offset, np.float32)) / np.array(self.scale, np.float32)
        return ordered[..., ::-1] if self.order == "bgr" else ordered

    def to_json(self) -> dict[str, Any]:
        """Return the content for `model.json`."""
        return {
            "name": self.name,
            "order": self.order,
            "scale": list(self.scale),
            "offset": list(self.offset),
            **({"samplewise_center": True} if self.samplewise_center else {}),
            **({"samplewise_std": True} if self.samplewise_std else {}),
        }

    @staticmethod
    def from_json(content: Any) -> "Preprocessing":
        """Return the preprocessing that `to_json` returned as `content`.

        Raises:
            ConvscopeError: `content` is malformed.
        """
        try:
            scale = tuple(float(value) for value in content["scale"])
            offset = tuple(float(value) for value in content["offset"])
            name, order = str(content["name"]), content["order"]
            samplewise = [content.get(key, False) is True for key in ("samplewise_center", "samplewise_std")]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ConvscopeError(
                f"malformed preprocessing {content!r}: expected name, order, scale and offset"
            ) from None
        finite = all(map(math.isfinite, scale + offset))
        if (
            len(scale) != 3
            or len(offset) != 3
            or 0 in scale
            or not finite
            or order not in ("rgb", "bgr", "grey")
        ):
            raise ConvscopeError(
                f"malformed preprocessing {content!r}: expected three finite scales other than 0, three "
                "finite offsets, and the order rgb, bgr or grey"
            )
        return Preprocessing(name, scale, offset, order, *samplewise)


def _moment_of_picture(moment: str, values: Any) -> Any:
    """Return the mean or the standard deviation of each picture, (..., 1, 1, 1)."""
    if isinstance(values, np.ndarray):
        return getattr(values, moment)(axis=(-3, -2, -1), keepdims=True)
    from keras import ops  # already imported: the values are a tensor

    return getattr(ops, moment)(values, axis=(-3, -2, -1), keepdims=True)


def _triple(values: np.ndarray) -> Triple:
    red, green, blue = map(float, values)
    return red, green, blue


def _equal_channels(name: str, scale: float, offset: float) -> Preprocessing:
    return Preprocessing(name, (scale,) * 3, (offset,) * 3)


PREPROCESSINGS = {
    preprocessing.name: preprocessing
    for preprocessing in (
        _equal_channels("none", 1.0, 0.0),
        _equal_channels("unit_range", 1 / 255, 0.0),
        _equal_channels("minus_one_to_one", 1 / 127.5, -1.0),
        # keras.applications.imagenet_utils.preprocess_input, mode="caffe" and mode="torch"
        Preprocessing("caffe", (1.0, 1.0, 1.0), (-103.939, -116.779, -123.68), "bgr"),
        Preprocessing(
            "torch",
            (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)),
            (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
        ),
    )
}


def resolve_preprocessing(name: str, scale: Sequence[float], offset: Sequence[float]) -> Preprocessing:
    """Return the preprocessing with a name; for "affine", make it from `scale` and `offset`.

    Args:
        name: one of `PREPROCESSINGS`, or "affine".
        scale: for "affine", one or three numbers; else empty.
        offset: see `scale`.

    Raises:
        ConvscopeError: the name is unknown, or the numbers do not fit it.
    """
    if name != "affine" and not scale and not offset:
        return by_name(name)
    finite = all(map(math.isfinite, [*scale, *offset]))
    if name != "affine" or {len(scale), len(offset)} - {1, 3} or 0 in scale or not finite:
        raise ConvscopeError(
            f"preprocessing={name}, scale={list(scale)} and offset={list(offset)}: expected "
            "preprocessing=affine with one or three finite numbers in each, and no scale of 0"
        )
    return Preprocessing("affine", _triple(np.resize(scale, 3)), _triple(np.resize(offset, 3)))


def by_name(name: str) -> Preprocessing:
    """Return the preprocessing with a name.

    Raises:
        ConvscopeError: the name is unknown; the message lists similar names.
    """
    if name not in PREPROCESSINGS:
        raise unknown("preprocessing", name, PREPROCESSINGS)
    return PREPROCESSINGS[name]
