"""Patterns of an open model: pictures that channels respond to, and pictures that raise an objective."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convscope import images
from convscope.errors import ConvscopeError, unknown
from convscope.models.bundle import ModelBundle
from convscope.options import check_range
from convscope.render import mosaic
from convscope.vis.ascent.maximize import Network, Recipe, maximize
from convscope.vis.ascent.objectives import LOGITS, PIXELS, At, Objective
from convscope.vis.ascent.patterns import METHODS, Settings, maximize_channels
from convscope.vis.layer_selection import select, without_maps

SIZE, STEPS = 128, 64
_COUNT = 16  # channels of a layer
_GAP = 5  # pixels between pictures


@dataclass(frozen=True, repr=False)
class LayerPatterns:
    """Pictures that channels of a layer respond to.

    Attributes:
        layer: path of the layer, or "logits".
        channels: int64 (n,), the index of each channel.
        pictures: uint8 (n, size, size, 3), RGB.
        mean: float32 (n,), the mean positive response of each channel to its picture, over all positions.
        peak: float32 (n,), the response at the strongest position, before the activation.
        exact: bool (n,), whether the picture has the highest possible response: the channel is linear in the
            pixels.
        growth: float32 (n, steps), what was raised, at each step; zeros for exact pictures.
        method: the name of the method.
    """

    layer: str
    channels: np.ndarray
    pictures: np.ndarray
    mean: np.ndarray
    peak: np.ndarray
    exact: np.ndarray
    growth: np.ndarray
    method: str

    @property
    def silent(self) -> np.ndarray:
        """The channels that do not respond to their picture at any position: bool (n,)."""
        return self.peak <= 0

    def __repr__(self) -> str:
        """Return a summary in one line."""
        return (
            f"<LayerPatterns of {self.layer}: {_sizes(self.pictures)}, {self.method}, "
            f"highest responses {self.peak.min():.3g} to {self.peak.max():.3g}>"
        )

    def _repr_png_(self) -> bytes:
        """Return all pictures with the indices of their channels as a PNG, for notebooks."""
        how = "exact" if self.exact.all() else f"{self.method}, {self.growth.shape[1]} steps"
        silent = int(self.silent.sum())
        note = f"; hatched: {silent} without a response" if silent else ""
        return _sheet(self.pictures, self.silent, self.channels, self.layer, f"{how}{note}")


@dataclass(frozen=True, repr=False)
class AscentResult:
    """Pictures that raise objectives.

    Attributes:
        pictures: uint8 (n, size, size, 3), RGB.
        value: float32 (n,), the objective of each picture, measured on its 8-bit pixels.
        growth: float32 (n, steps), the objective at each step, of the transformed pictures.
        frames: uint8 (n, frames, size, size, 3), the pictures during the ascent; None if not requested.
    """

    pictures: np.ndarray
    value: np.ndarray
    growth: np.ndarray
    frames: np.ndarray | None

    def __repr__(self) -> str:
        """Return a summary in one line."""
        values = ", ".join(f"{value:.3g}" for value in self.value)
        return f"<AscentResult: {_sizes(self.pictures)}, objectives {values}>"

    def _repr_png_(self) -> bytes:
        """Return all pictures as a PNG, for notebooks."""
        values = ", ".join(f"{value:.3g}" for value in self.value)
        count = len(self.pictures)
        subtitle = f"{self.growth.shape[1]} steps, objectives {values}"
        return _sheet(self.pictures, np.zeros(count, bool), np.arange(count), "gradient ascent", subtitle)


def patterns_of(
    bundle: ModelBundle,
    layers: Sequence[str],
    channels: Sequence[int] | None,
    settings: Settings,
    *,
    size: int | None,
) -> dict[str, LayerPatterns]:
    """Return the patterns of each layer; see `OpenModel.patterns`. `size` replaces that of the settings."""
    if settings.method not in METHODS:
        raise unknown("method", settings.method, METHODS)
    check_range("steps", settings.steps, 1)
    if size is not None:
        check_range("size", size, 16, 1024)
    chosen = {}
    for layer, units in _layers(bundle, layers):
        chosen[layer] = _channels(layer, units, channels)
    network = Network(bundle.model, bundle.layers, bundle.contract.preprocessing)
    result = {}
    for layer, indices in chosen.items():
        own = replace(settings, size=size or _default_size(bundle, [layer]))
        found = maximize_channels(network, layer, indices, own)
        result[layer] = LayerPatterns(
            layer=layer,
            channels=np.array(indices),
            pictures=found.pictures,
            mean=found.mean,
            peak=found.peak,
            exact=found.exact,
            growth=found.growth,
            method=settings.method,
        )
    return result


def ascended(
    bundle: ModelBundle,
    objectives: Sequence[Objective],
    recipe: Recipe | None,
    *,
    seed: int,
    frame_every: int,
) -> AscentResult:
    """Return pictures that raise objectives; see `OpenModel.ascend`."""
    if not objectives:
        raise ConvscopeError("no objectives: expected one or more")
    network = Network(bundle.model, bundle.layers, bundle.contract.preprocessing)
    if recipe is None:
        used = [term.layer for term in objectives[0].terms]
        centre = [term.measure for term in objectives[0].terms if isinstance(term.measure, At)]
        settings = Settings(
            "fourier", _default_size(bundle, used), STEPS, measure=centre[0] if centre else None
        )
        smallest = min(used, key=network.has_maps)
        recipe = METHODS["fourier"][0](settings, 0, network.has_maps(smallest))
    check_range("recipe.steps", recipe.steps, 1)
    check_range("frame_every", frame_every, 0)
    seeds = [(seed, index) for index in range(len(objectives))]
    ascent = maximize(network, objectives, recipe, seeds=seeds, frame_every=frame_every)
    value = network.measure(objectives, ascent.pictures)
    return AscentResult(ascent.pictures, value, ascent.growth, ascent.frames)


def _layers(bundle: ModelBundle, patterns: Sequence[str]) -> list[tuple[str, int]]:
    """Return path and number of channels of each layer that matches; `LOGITS` is the output of the model."""
    paths = {layer.path for layer in bundle.layers}
    inner = [pattern for pattern in patterns if pattern != LOGITS or LOGITS in paths]
    chosen = select(bundle.layers, inner, drawable=True)
    for layer in chosen:
        if not layer.has_maps and not layer.has_units:
            raise without_maps(layer, "choose convolutions or dense layers")
    result = [(layer.path, layer.channels) for layer in chosen]
    if len(inner) < len(patterns):
        result.append((LOGITS, int(bundle.model.output_shape[-1])))
    if not result:
        raise ConvscopeError("no layers: expected one or more")
    return result


def _channels(layer: str, count: int, channels: Sequence[int] | None) -> list[int]:
    """Return the given channels, or evenly spread ones."""
    if channels is None:
        return [int(channel) for channel in np.linspace(0, count - 1, min(count, _COUNT)).round()]
    if not len(channels):
        raise ConvscopeError("channels=[]: expected one or more, or None")
    for channel in channels:
        if not 0 <= channel < count:
            raise ConvscopeError(f"no channel {channel} in {layer}: expected 0 to {count - 1}")
    return [int(channel) for channel in channels]


def _default_size(bundle: ModelBundle, layers: Sequence[str]) -> int:
    """Return the size of pictures for layers: that of the model for dense layers, else at most `SIZE`."""
    height, width = bundle.contract.input_size
    if set(layers) <= {layer.path for layer in bundle.layers if layer.has_maps} | {PIXELS}:
        return min(SIZE, height, width)
    if height != width:
        raise ConvscopeError(
            f"pictures are square, but the input of the model has {height}×{width} pixels: choose layers "
            "with feature maps"
        )
    return height


def _sheet(
    pictures: np.ndarray, hatched: np.ndarray, numbers: np.ndarray, title: str, subtitle: str
) -> bytes:
    tiles = mosaic.Tiles(pictures, hatched, numbers)
    sheet = mosaic.sheet(tiles, title, subtitle, layout=mosaic.Layout(gap=_GAP))
    return images.png_bytes(sheet)


def _sizes(pictures: np.ndarray) -> str:
    count, height, width, _ = pictures.shape
    return f"{count} {'picture' if count == 1 else 'pictures'} of {height}×{width}"
