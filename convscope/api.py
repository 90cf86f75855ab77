"""From Python: open any Keras classifier, get its feature maps as arrays, draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from convscope import decode, images
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError
from convscope.graph import Layer, probabilities_of
from convscope.models.bundle import ModelBundle
from convscope.models.opening import Reading, bundle_of, open_checkpoint
from convscope.preprocessing import Preprocessing, by_name
from convscope.render import mosaic
from convscope.render.levels import on_one_scale, standardize
from convscope.vis.activations import Extractor
from convscope.vis.layers import select

Photograph = str | Path | np.ndarray


@dataclass(frozen=True)
class OpenModel:
    """A model that was opened; `bundle` has its flat graph and its contract."""

    bundle: ModelBundle

    @property
    def layers(self) -> list[Layer]:
        """Every layer at any depth, in graph order, with its path."""
        return self.bundle.layers

    @property
    def class_names(self) -> list[str]:
        """In the order of the outputs."""
        return self.bundle.contract.class_names

    def encode(self, photographs: Sequence[Photograph]) -> np.ndarray:
        """Photographs as the model's input, float32 (n, height, width, channels), preprocessed once.

        Args:
            photographs: paths, or uint8 arrays (height, width, 3) in RGB, of any size.

        Raises:
            ConvscopeError: a file cannot be read, or an array is no picture.
        """
        contract = self.bundle.contract
        pixels = [_pixels(each) for each in photographs]
        return encode_photographs(pixels, contract.input_size, contract.preprocessing)

    def predict(self, photographs: Sequence[Photograph]) -> np.ndarray:
        """The probability of each class, float64 (n, classes)."""
        return probabilities_of(self.bundle.model, self.encode(photographs))

    def activations(self, photographs: Sequence[Photograph], layers: Sequence[str]) -> dict[str, np.ndarray]:
        """What layers put out, from one forward pass.

        Args:
            photographs: see `encode`.
            layers: paths, globs, `type:Conv2D`, places, slices, `last_conv`, `every:10`.

        Returns:
            float32 (n, height, width, channels), or (n, units), by the layer's path.

        Raises:
            ConvscopeError: there is no such layer, or values are not finite.
        """
        chosen = select(self.layers, layers)
        return Extractor(self.bundle.model, chosen)(self.encode(photographs))


def open_model(
    source: str | Path | keras.Model,
    *,
    preprocessing: str | Preprocessing | None = None,
    class_names: Sequence[str] = (),
    input: str | None = None,
    output: str | None = None,
    allow_code: bool = False,
) -> OpenModel:
    """Open a run directory of train.py, a `.keras`, `.h5` or `.hdf5` file, or a model in memory.

    Args:
        source: what to open; a model in memory is left as it is.
        preprocessing: what a foreign model expects of pixels: unit_range, minus_one_to_one, caffe, torch,
            none, or a `Preprocessing`.
        class_names: of a foreign model, in the order of its outputs.
        input: which of several inputs is the picture.
        output: which of several outputs tells the class.
        allow_code: run the Lambda layers of a file, which are its author's code.

    Raises:
        ConvscopeError: it cannot be opened, or something must be said of it that is not.
    """
    known = by_name(preprocessing) if isinstance(preprocessing, str) else preprocessing
    reading = Reading(known, class_names, input, output, allow_code=allow_code)
    if isinstance(source, keras.Model):
        return OpenModel(bundle_of(source, reading, path=source.name))
    return OpenModel(open_checkpoint(Path(source).expanduser(), reading))


def grid(
    maps: np.ndarray, *, title: str = "", normalize: str = "channel", color_map: str = "viridis"
) -> Image.Image:
    """Every channel of one photograph's feature maps side by side: a picture that a notebook shows.

    Args:
        maps: float (height, width, channels).
        title: above it.
        normalize: "channel" (each its mean ± 2 deviations) or "layer" (one scale for all).
        color_map: one of Matplotlib's.

    Raises:
        ConvscopeError: the maps have another shape, or there is no such scale.
    """
    if maps.ndim != 3:
        raise ConvscopeError(
            f"maps of shape {maps.shape}: expected those of one photograph, (height, width, channels)"
        )
    if normalize not in ("channel", "layer"):
        raise ConvscopeError(f"normalize={normalize!r}: expected channel or layer")
    levels = (
        standardize(maps)
        if normalize == "channel"
        else on_one_scale(maps, float(maps.min()), float(maps.max()))
    )
    scale = mosaic.Scale(color_map, levels.labels)
    picture = mosaic.sheet(mosaic.map_tiles(levels), title, levels.meaning, scale)
    return images.in_pillow(picture)


def _pixels(photograph: Photograph) -> np.ndarray:
    if not isinstance(photograph, np.ndarray):
        return decode.load(Path(photograph).expanduser())
    if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[-1] != 3:
        raise ConvscopeError(
            f"a photograph of {photograph.dtype} {photograph.shape}: expected uint8 (height, width, 3) in RGB"
        )
    return photograph
