"""Feature accentuation: change a photograph a little, so that a channel responds more to it.

See C. Hamblin et al., Feature Accentuation, 2024, and Horama, `feature_accentuation.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from convscope.vis.ascent.maximize import Network, Recipe, maximize
from convscope.vis.ascent.objectives import direction, distance, mean
from convscope.vis.ascent.optimizers import nadam
from convscope.vis.ascent.parametrizations import Fourier
from convscope.vis.ascent.transforms import Jitter

STEPS = 48
STRENGTH = 10.0  # of the distance, against the response as a multiple of that to the photograph
_RATE = 0.006
_DECAY = 1.0  # lower than for patterns: shades of light would change more than details


@dataclass(frozen=True)
class Accentuated:
    """A photograph that was changed for some channels.

    Attributes:
        channels: int (n,), the channels.
        pictures: uint8 (n, size, size, 3), the changed photograph for each channel.
        before: float32 (n,), the mean positive response of each channel to the photograph.
        after: float32 (n,), the same for its picture.
    """

    channels: np.ndarray
    pictures: np.ndarray
    before: np.ndarray
    after: np.ndarray


def accentuate(
    network: Network, layer: str, channels: Sequence[int], photograph: np.ndarray, *, count: int
) -> Accentuated | None:
    """Return a photograph, changed for the channels that respond to it most.

    Gradient ascent starts from the photograph. It raises the mean response of a channel, as a multiple of its
    mean response to the photograph (or of the mean of all channels, if higher), less the mean square of the
    change.

    Args:
        network: the network.
        layer: path of the layer.
        channels: the channels to choose from.
        photograph: uint8 (size, size, 3).
        count: the largest number of channels.

    Returns:
        the pictures, the channel with the highest response first; None if no channel responds.
    """
    size = photograph.shape[0]
    before = _responses(network, layer, photograph[None])[0]
    chosen = np.array(sorted((index for index in channels if before[index] > 0), key=lambda at: -before[at]))
    chosen = chosen[:count]
    if not len(chosen):
        return None
    how = Fourier(size, decay=_DECAY, contrast=None)
    scale = np.maximum(before[chosen], before.mean())  # a faint response would outweigh the distance
    relative = np.eye(len(before))[chosen] / scale[:, None]
    objectives = [direction(layer, weights, mean) - distance(photograph, STRENGTH) for weights in relative]
    ascent = maximize(
        network,
        objectives,
        Recipe(how, nadam(_RATE), (Jitter(size // 28),), STEPS),
        seeds=[0] * len(chosen),
        start=np.repeat(how.encode(photograph)[None], len(chosen), 0),
    )
    after = _responses(network, layer, ascent.pictures)
    return Accentuated(chosen, ascent.pictures, before[chosen], after[np.arange(len(chosen)), chosen])


def _responses(network: Network, layer: str, pictures: np.ndarray) -> np.ndarray:
    """Return the mean positive response of each channel, float32 (n, channels)."""
    (values,) = network.values([layer], pictures.shape[1])(tf.constant(pictures, tf.float32))
    flat = np.asarray(values).reshape(len(pictures), -1, values.shape[-1])
    return np.maximum(flat, 0).mean(1)
