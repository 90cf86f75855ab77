"""The patterns that filters and classes respond to: methods, restarts of silent filters, and responses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from convscope.errors import ConvscopeError, unknown
from convscope.vis.ascent.maximize import Ascent, Network, Recipe, maximize
from convscope.vis.ascent.natural_images import Spectrum
from convscope.vis.ascent.objectives import At, Measure, centre, channel, mean, mean_positive
from convscope.vis.ascent.optimizers import adam, nadam, normalized
from convscope.vis.ascent.parametrizations import Fourier, Maco, Pixels
from convscope.vis.ascent.transforms import Crops, Jitter, Noise
from convscope.vis.gradients import value_and_gradient

BATCH = 16  # pictures that are changed together
RESTARTS = 2  # of a filter that is silent at the end, from other noise
_CONTRAST = 2.0
_WINDOW = 16  # steps after which a pattern ends that no longer gains
_EXACT_FACTOR = 4  # exact patterns repeat a window of a few pixels, and are drawn so many times as large


@dataclass(frozen=True)
class Settings:
    """What a pattern depends on besides the network, the layer and the channel.

    Attributes:
        method: a key of `METHODS`.
        size: height and width of a pattern in pixels.
        steps: number of steps of gradient ascent.
        seed: seed of the start.
        spectrum: colours and magnitudes of the images that patterns should be near.
        measure: what is raised of a channel; None is the measure of the method. Exact patterns are known for
            None only.
        frame_every: keep the pictures of every n-th step; 0 keeps none.
    """

    method: str
    size: int
    steps: int
    seed: int = 0
    spectrum: Spectrum = Spectrum()
    measure: Measure | None = None
    frame_every: int = 0


def _fourier(settings: Settings, _: int, maps: bool) -> Recipe:
    how = Fourier(settings.size, contrast=_CONTRAST, colors=settings.spectrum.colors)
    if isinstance(settings.measure, At):  # jitter would raise all positions
        return Recipe(how, nadam(0.5), (), settings.steps)
    # A unit responds at one position, so its picture moves by a few pixels only.
    jitter = Jitter() if maps else Jitter(settings.size // 16)
    return Recipe(how, nadam(0.5), (jitter,), settings.steps, _WINDOW)


def _maco(settings: Settings, input_size: int, _: bool) -> Recipe:
    how = Maco(settings.size, settings.spectrum)
    return Recipe(how, nadam(1.0), (Crops(4, input_size), Noise()), settings.steps)


def _book(settings: Settings, _: int, __: bool) -> Recipe:
    return Recipe(Pixels(settings.size), normalized(10.0 * 255), (), settings.steps)  # the book's range is 1


# Each method: the recipe for settings, for the input size of the network, and for a layer with or without
# maps; and the measure of a channel.
METHODS: dict[str, tuple[Callable[[Settings, int, bool], Recipe], Measure]] = {
    "fourier": (_fourier, mean_positive),
    "maco": (_maco, mean),
    "book": (_book, mean),
}


@lru_cache(maxsize=16)  # a recipe that is one object is traced once
def _recipe(settings: Settings, input_size: int, maps: bool, from_photographs: bool) -> Recipe:
    recipe = METHODS[settings.method][0](settings, input_size, maps)
    if not from_photographs:
        return recipe
    how = Fourier(settings.size, contrast=None, colors=settings.spectrum.colors)
    return replace(recipe, parametrization=how, optimizer=adam(0.1), transforms=())


@dataclass(frozen=True)
class Patterns:
    """The patterns of some channels of a layer.

    Attributes:
        pictures: uint8 (n, size, size, 3), RGB.
        mean: float32 (n,), the mean positive response of each channel to its picture, over all positions.
        peak: float32 (n,), the response at the strongest position, before the activation.
        exact: bool (n,), whether the picture contains the best possible input of a position: see
            `exact_patterns`.
        restarts: int (n,), how often the ascent was repeated because the channel was silent.
        growth: float32 (n, steps), the objective at each step of the last ascent; zeros if it is exact.
        sensitivity: see `Ascent`.
        frames: uint8 (n, frames, size, size, 3), the pictures during the last ascent; 0 frames if they were
            not requested, or if it is exact.
    """

    pictures: np.ndarray
    mean: np.ndarray
    peak: np.ndarray
    exact: np.ndarray
    restarts: np.ndarray
    growth: np.ndarray
    sensitivity: np.ndarray
    frames: np.ndarray

    @property
    def from_photograph(self) -> np.ndarray:
        """Whether the last ascent started from a photograph: bool (n,)."""
        return self.restarts > RESTARTS

    @property
    def silent(self) -> np.ndarray:
        """The channels that do not respond to their picture at any position: bool (n,)."""
        return self.peak <= 0

    @property
    def depends_on_photographs(self) -> np.ndarray:
        """Whether the result may differ for another data set: bool (n,).

        It does if the last ascent started from a photograph, and if another photograph could end the silence.
        """
        return self.from_photograph | (self.silent & ~self.exact)

    def rows(self, chosen: Any) -> "Patterns":
        """Return some of the patterns; `chosen` is an index array or a slice."""
        return Patterns(**{name: values[chosen] for name, values in vars(self).items()})


def join(parts: Sequence[Patterns]) -> Patterns:
    """Return all patterns of several parts, in order."""
    return Patterns(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def maximize_channels(
    network: Network,
    layer: str,
    channels: Sequence[int],
    settings: Settings,
    *,
    photographs: Mapping[int, np.ndarray] | None = None,
    on_step: Callable[[int], Any] | None = None,
) -> Patterns:
    """Return a picture for each channel of a layer that raises its response.

    A pattern does not depend on the other channels. If a channel is silent at the end, the ascent starts
    again from other noise, and at last from a photograph.

    Args:
        network: the network.
        layer: path of the layer, or `LOGITS`; the channels of a layer without maps are its units.
        channels: the channels.
        settings: how the pictures are made.
        photographs: for some channels the photograph that excites them most, uint8 (size, size, 3).
        on_step: a callback for a progress bar: called after each step with the number of channels.

    Raises:
        ConvscopeError: the method is unknown, or the pictures do not fit the layer.
    """
    if settings.method not in METHODS:
        raise unknown("filters.method", settings.method, METHODS)
    parts = []
    for start in range(0, len(channels), BATCH):
        batch = list(channels[start : start + BATCH])
        parts.append(_one_batch(network, layer, batch, settings, photographs or {}, on_step))
    return join(parts)


def _one_batch(
    network: Network,
    layer: str,
    batch: list[int],
    settings: Settings,
    photographs: Mapping[int, np.ndarray],
    on_step: Callable[[int], Any] | None,
) -> Patterns:
    """Return the patterns of at most `BATCH` channels."""
    plain = settings.method == "fourier" and settings.measure is None
    exact = exact_patterns(network, layer, batch, settings.size) if plain else None
    if exact is not None:
        if on_step:
            on_step(settings.steps * len(batch))
        return _measured(network, layer, batch, exact, settings)
    result = _ascend(network, layer, batch, settings, on_step=on_step)
    for attempt in range(1, RESTARTS + 1):
        silent = np.flatnonzero(result.silent)
        if len(silent):
            again = [batch[row] for row in silent]
            better = _ascend(network, layer, again, settings, attempt=attempt)
            result = _replaced(result, silent, better, attempt)
    known = [int(row) for row in np.flatnonzero(result.silent) if batch[row] in photographs]
    if known:
        again = [batch[row] for row in known]
        start = np.stack([photographs[index] for index in again])
        better = _ascend(network, layer, again, settings, start=start)
        result = _replaced(result, known, better, RESTARTS + 1)
    return result


def _ascend(
    network: Network,
    layer: str,
    batch: list[int],
    settings: Settings,
    *,
    attempt: int = 0,
    start: np.ndarray | None = None,
    on_step: Callable[[int], Any] | None = None,
) -> Patterns:
    """Return the patterns of one ascent, from noise or from the photographs in `start`.

    The batch is filled up, so that rounding does not depend on the number of channels. An ascent from
    photographs has free contrast, because a photograph may respond only with its own.
    """
    input_size = network.model.inputs[0].shape[1] or settings.size
    recipe = _recipe(settings, input_size, network.has_maps(layer), start is not None)
    how, measure = recipe.parametrization, METHODS[settings.method][1]
    variables = None
    if start is not None and isinstance(how, Fourier):
        variables = np.stack([how.encode(photograph) for photograph in start])
    missing = BATCH - len(batch)
    filled = batch + batch[-1:] * missing
    ascent = maximize(
        network,
        [channel(layer, index, settings.measure or measure) for index in filled],
        recipe,
        seeds=[(settings.seed, attempt, index) for index in filled],
        frame_every=settings.frame_every,
        start=None if variables is None else np.concatenate([variables, variables[-1:].repeat(missing, 0)]),
        on_step=(lambda _: on_step(len(batch))) if on_step else None,
    )
    return _measured(network, layer, batch, ascent.pictures[: len(batch)], settings, ascent)


def _measured(
    network: Network,
    layer: str,
    batch: Sequence[int],
    pictures: np.ndarray,
    settings: Settings,
    ascent: Ascent | None = None,
) -> Patterns:
    """Return pictures with the responses of their channels, in float32, to the pictures as they are saved."""
    count, size = pictures.shape[:2]
    shown = pictures if ascent else pictures[:, ::_EXACT_FACTOR, ::_EXACT_FACTOR]
    (values,) = network.values([layer], shown.shape[1])(tf.constant(shown, tf.float32))
    responses = np.asarray(values).reshape(count, -1, values.shape[-1])
    own = np.stack([responses[row, :, index] for row, index in enumerate(batch)])
    frames = None if ascent is None else ascent.frames
    return Patterns(
        pictures,
        np.maximum(own, 0).mean(1),
        own.max(1),
        np.full(count, ascent is None),
        np.zeros(count, int),
        np.zeros((count, settings.steps), np.float32) if ascent is None else ascent.growth[:count],
        np.zeros((count, size, size), np.float32) if ascent is None else ascent.sensitivity[:count],
        pictures[:, None][:, :0] if frames is None else frames[:count],
    )


def _replaced(result: Patterns, rows: Iterable[int], better: Patterns, attempt: int) -> Patterns:
    """Return the patterns with others in some rows, if those respond more."""
    parts = {name: values.copy() for name, values in vars(result).items()}
    for number, row in enumerate(rows):
        parts["restarts"][row] = attempt
        if better.peak[number] > result.peak[row]:
            for name in ("pictures", "mean", "peak", "growth", "sensitivity", "frames"):
                parts[name][row] = getattr(better, name)[number]
    return replace(result, **parts)


# ---- layers that are linear in the pixels


def exact_patterns(network: Network, layer: str, channels: Sequence[int], size: int) -> np.ndarray | None:
    """Return pictures in which positions of the channels have their highest possible response.

    They are known for layers that are linear in the pixels, such as the first convolution: a pixel is 255
    where its weight is positive and 0 where it is negative; a pixel without weight is grey. The window
    of the position at the centre is repeated over the picture, and drawn four times as large.

    Returns:
        uint8 (n, size, size, 3), or None if the layer is not linear in the pixels, or a window too large.
    """
    small = size // _EXACT_FACTOR
    if size % _EXACT_FACTOR or not network.has_maps(layer):
        return None
    weights = _linear_weights(network, layer, channels, small)
    if weights is None:
        return None
    used = np.abs(weights).sum((0, 3)) > 0
    if not used.any():  # none of these channels depends on the pixels
        return np.full((len(channels), size, size, 3), 128, np.uint8)
    rows, columns = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if max(height, width) > small // 2:
        return None
    window = weights[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    best = np.where(window > 0, 255, np.where(window < 0, 0, 128)).astype(np.uint8)
    down, across = (
        (np.arange(small) - first) % side for first, side in ((rows[0], height), (columns[0], width))
    )
    pictures = best[:, down[:, None], across[None, :]]
    return pictures.repeat(_EXACT_FACTOR, 1).repeat(_EXACT_FACTOR, 2)


def _linear_weights(network: Network, layer: str, channels: Sequence[int], size: int) -> np.ndarray | None:
    """Return the weight of each pixel in the response at the centre, (n, size, size, 3).

    It is the gradient. The result is None if the layer is not linear: the gradient of a random combination
    of all channels differs between pictures of noise, of black and white pixels, and its negative.
    """
    try:
        values = network.values([layer], size)
    except ConvscopeError:  # the layer needs larger pictures
        return None
    rng = np.random.default_rng(0)
    grey, extreme = rng.uniform(0, 255, (size, size, 3)), 255 * rng.integers(0, 2, (size, size, 3))
    pictures = tf.constant(np.stack([grey, extreme, 255 - extreme]), tf.float32)

    def gradients(direction: np.ndarray) -> np.ndarray:
        def response(pixels: Any) -> Any:
            return centre(values(pixels)[0], tf.constant(direction[None], tf.float32))

        return np.asarray(value_and_gradient(response, pictures)[1])

    count = values.shapes[0][-1]
    mixed = gradients(rng.normal(0, 1, count))
    if not mixed[0].any() or np.abs(mixed - mixed[0]).max() > 1e-5 * np.abs(mixed[0]).max():
        return None
    identity = np.eye(count)
    return np.stack([gradients(identity[index])[0] for index in channels])
