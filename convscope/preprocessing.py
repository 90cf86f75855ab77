"""The contract between a model and its pixels: named, invertible, stored with the model.

Every model's preprocessing is one affine map a channel, after an optional change of the channels'
order, and, if ImageDataGenerator's samplewise normalisation is asked for, what that does after it. It is
applied in one place (`Preprocessing.encode`) by training, evaluation and every picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from convscope.errors import ConvscopeError, unknown

Triple = tuple[float, float, float]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TINY = 1e-6  # ImageDataGenerator's, against division by zero


@dataclass(frozen=True)
class Preprocessing:
    """What a model expects of pixels: `pixels[..., order] * scale + offset`.

    `name` is what `model.json` and messages call it, `order` is "rgb", "bgr", or "grey" for models of one
    channel (the luma of ITU-R BT.601, as Pillow and Keras make it), `scale` and `offset` hold a number for
    each channel, in that order, for grey the same one three times. Then, by choice, the mean of the picture's
    own values is taken away, and they are divided by their standard deviation; that cannot be inverted.
    """

    name: str
    scale: Triple
    offset: Triple
    order: str = "rgb"
    samplewise_center: bool = False
    samplewise_std: bool = False

    @property
    def channels(self) -> int:
        """Of the model's input."""
        return 1 if self.order == "grey" else 3

    def grey(self) -> "Preprocessing":
        """The same for a model of one channel; raises ConvscopeError if it treats channels apart."""
        if len(set(self.scale)) > 1 or len(set(self.offset)) > 1:
            raise ConvscopeError(
                f"the preprocessing {self.name} treats red, green and blue apart, and the model takes grey "
                "pictures: expected another"
            )
        return replace(self, order="grey")

    @property
    def invertible(self) -> bool:
        """Whether `decode` can bring pixels back."""
        return not (self.samplewise_center or self.samplewise_std)

    def encode(self, pixels: Any) -> Any:
        """RGB pixels 0..255, (..., 3), as the model's input, float32. Arrays and tensors alike."""
        ordered = self._ordered(pixels)
        scale, offset = (np.array(each[: self.channels], np.float32) for each in (self.scale, self.offset))
        values = ordered * scale + offset
        if self.samplewise_center:
            values = values - _of_picture("mean", values)
        if self.samplewise_std:
            values = values / (_of_picture("std", values) + _TINY)
        return values

    def featurewise(self, mean: np.ndarray, deviation: np.ndarray | None) -> "Preprocessing":
        """This, and then a mean a channel taken away, and perhaps a division by a deviation: float (3,).

        As ImageDataGenerator does it; it is one affine map still.
        """
        assert self.invertible
        divisor = np.ones(3) if deviation is None else deviation + _TINY
        scale, offset = np.array(self.scale) / divisor, (np.array(self.offset) - mean) / divisor
        return replace(self, name=f"{self.name}_featurewise", scale=_triple(scale), offset=_triple(offset))

    def _ordered(self, pixels: Any) -> Any:
        if self.order == "grey":
            red, green, blue = (pixels[..., each : each + 1] for each in range(3))
            return red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
        return pixels[..., ::-1] if self.order == "bgr" else pixels

    @cached_property
    def table(self) -> np.ndarray:
        """What `encode` makes of each grey level of each channel, float32 (1, 256, 3), in their order.

        It is for preprocessing that treats each value alike, as invertible ones do.
        """
        levels = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
        return self.encode(levels)[None]

    def decode(self, values: Any) -> Any:
        """The inverse of `encode`: a model's input as RGB pixels 0..255, float32 (..., 3).

        Raises:
            ConvscopeError: it has none.
        """
        if not self.invertible:
            raise ConvscopeError(f"the preprocessing {self.name} is samplewise and cannot be inverted")
        ordered = (values - np.array(self.offset, np.float32)) / np.array(self.scale, np.float32)
        return ordered[..., ::-1] if self.order == "bgr" else ordered

    def to_json(self) -> dict[str, Any]:
        """As `model.json` keeps it."""
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
        """Read back what `to_json` wrote; raises ConvscopeError where it is malformed."""
        try:
            scale = tuple(float(value) for value in content["scale"])
            offset = tuple(float(value) for value in content["offset"])
            name, order = str(content["name"]), content["order"]
            samplewise = [content.get(key, False) is True for key in ("samplewise_center", "samplewise_std")]
        except (KeyError, TypeError, ValueError):
            raise ConvscopeError(
                f"malformed preprocessing {content!r}: expected name, order, scale and offset"
            ) from None
        if len(scale) != 3 or len(offset) != 3 or 0 in scale or order not in ("rgb", "bgr", "grey"):
            raise ConvscopeError(
                f"malformed preprocessing {content!r}: expected three scales other than 0, three "
                "offsets, and the order rgb, bgr or grey"
            )
        return Preprocessing(name, scale, offset, order, *samplewise)


def _of_picture(moment: str, values: Any) -> Any:
    """Mean or standard deviation of all values of each picture, shaped to be taken from (..., 3)."""
    if isinstance(values, np.ndarray):
        return getattr(values, moment)(axis=(-3, -2, -1), keepdims=True)
    from keras import ops  # a tensor is there, so Keras is

    return getattr(ops, moment)(values, axis=(-3, -2, -1), keepdims=True)


def _triple(values: np.ndarray) -> Triple:
    red, green, blue = map(float, values)
    return red, green, blue


def _even(name: str, scale: float, offset: float) -> Preprocessing:
    return Preprocessing(name, (scale,) * 3, (offset,) * 3)


PREPROCESSINGS = {
    each.name: each
    for each in (
        _even("none", 1.0, 0.0),
        _even("unit_range", 1 / 255, 0.0),
        _even("minus_one_to_one", 1 / 127.5, -1.0),
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
    """The preprocessing of that name, or for "affine" the one of `scale` and `offset`, a number or three.

    Raises:
        ConvscopeError: there is none of that name, or the numbers do not fit it.
    """
    if name != "affine" and not scale and not offset:
        return by_name(name)
    if name != "affine" or {len(scale), len(offset)} - {1, 3} or 0 in scale:
        raise ConvscopeError(
            f"preprocessing={name}, scale={list(scale)} and offset={list(offset)}: expected "
            "preprocessing=affine with one or three numbers in each, scale without 0"
        )
    return Preprocessing("affine", _triple(np.resize(scale, 3)), _triple(np.resize(offset, 3)))


def by_name(name: str) -> Preprocessing:
    """The preprocessing of that name; raises ConvscopeError, with near matches, if there is none."""
    if name not in PREPROCESSINGS:
        raise unknown("preprocessing", name, PREPROCESSINGS)
    return PREPROCESSINGS[name]
