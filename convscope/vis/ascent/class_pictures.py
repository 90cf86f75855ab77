"""Pictures with a high logit of a class, made by gradient ascent."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from convscope.vis.ascent.maximize import Network, Recipe, maximize
from convscope.vis.ascent.objectives import LOGITS, direction, mean
from convscope.vis.ascent.optimizers import nadam
from convscope.vis.ascent.parametrizations import Fourier, Maco
from convscope.vis.ascent.patterns import Settings
from convscope.vis.ascent.transforms import Crops, Jitter, Noise, Turn

_LARGEST = 256  # side of a picture in pixels, if the network's input is not larger
_PERCENTILE = 80  # of the gradient, where a picture becomes opaque
_SMOOTHING = 64  # the opacity is smoothed over the side of the picture, divided by this number


def _maco(settings: Settings, input_size: int) -> Recipe:
    # The crops of the paper end at a twentieth of the picture. A network then does not recognize the whole
    # picture, and a network that knows positions, with a dense layer behind Flatten, does not either.
    crops = Crops(2, input_size, first=1.0, last=0.4)
    return Recipe(Maco(settings.size, settings.spectrum), nadam(1.0), (crops, Noise()), settings.steps)


def _fourier(settings: Settings, _: int) -> Recipe:
    how = Fourier(settings.size, colors=settings.spectrum.colors)
    return Recipe(how, nadam(0.5), (Turn(), Jitter(8), Noise()), settings.steps)


METHODS: dict[str, Callable[[Settings, int], Recipe]] = {"maco": _maco, "fourier": _fourier}


@dataclass(frozen=True)
class ClassPictures:
    """The pictures of one class.

    Attributes:
        pixels: uint8 (n, size, size, 3), RGB.
        opacity: float32 (n, size, size), 0 to 1: where the ascent changed the picture.
        growth: float32 (n, steps), the logit of the changed pictures at each step.
    """

    pixels: np.ndarray
    opacity: np.ndarray
    growth: np.ndarray

    def on_paper(self, level: int) -> np.ndarray:
        """Return the pictures with their opacity on a grey level, uint8 (n, size, size, 3)."""
        share = self.opacity[..., None]
        return np.round(share * self.pixels + (1 - share) * level).astype(np.uint8)


def picture_size(method: str, input_size: int) -> int:
    """Return the side of the pictures for a network's input, in pixels: MACO cuts its input out of them."""
    return max(input_size, min(2 * input_size, _LARGEST)) if method == "maco" else input_size


def maximize_class(
    network: Network,
    target: np.ndarray,
    settings: Settings,
    *,
    input_size: int,
    count: int,
    on_step: Callable[[int], Any] | None = None,
) -> ClassPictures:
    """Return pictures that raise the logit of a class, each from other noise.

    Args:
        network: the network.
        target: the weight of each logit, float32 (logits,); see `targets.of_class`.
        settings: how the pictures are made; the method is a key of `METHODS`.
        input_size: height and width of the network's input in pixels.
        count: number of pictures.
        on_step: a callback for a progress bar: called after each step with the number of pictures.
    """
    objective = direction(LOGITS, target, mean)  # type: ignore[arg-type]
    index = int(np.argmax(target)) if len(target) > 1 else int(target[0] > 0)
    ascent = maximize(
        network,
        [objective] * count,
        _recipe(settings, input_size),
        seeds=[(settings.seed, index, number) for number in range(count)],
        on_step=on_step,
    )
    return ClassPictures(ascent.pictures, opacity_of(ascent.sensitivity), ascent.growth)


@lru_cache(maxsize=1)
def _recipe(settings: Settings, input_size: int) -> Recipe:
    """Return one recipe for all classes, so that the network traces the steps once."""
    return METHODS[settings.method](settings, input_size)


def opacity_of(sensitivity: np.ndarray) -> np.ndarray:
    """Return the opacity of pictures by MACO, from the summed gradient at each pixel, (n, size, size).

    The gradient is clipped at its 80th percentile and divided by its maximum (T. Fel et al., 2023). It is
    smoothed, because single pixels and the borders of crops show otherwise.
    """
    width = sensitivity.shape[1] / _SMOOTHING
    smooth = np.stack([cv2.GaussianBlur(values, (0, 0), width) for values in sensitivity])
    clipped = np.minimum(smooth, np.percentile(smooth, _PERCENTILE, axis=(1, 2), keepdims=True))
    return clipped / np.maximum(clipped.max(axis=(1, 2), keepdims=True), 1e-12)
