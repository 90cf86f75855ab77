"""The filters view of stage 3: the patterns that the filters of chosen layers respond to."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import names
from convscope.app.visualize.file_names import FileNames
from convscope.config.schema.visualize import FiltersConfig
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.render import mosaic
from convscope.render.artifact import View, write_view
from convscope.vis.ascent import Patterns, maximize_filters
from convscope.vis.kernels import first_kernels, kernel_pictures

INTRO = (
    "Each picture began as faint noise and was changed, step by step, so that one filter responds more. "
    "Hatched: the filter stayed silent."
)
MARGIN = 5  # pixels between patterns, as in the book
KERNEL_SIDE = 48  # pixels of a kernel's longer side, at most


def draw_kernels(
    bundle: ModelBundle, layers: Sequence[Layer], *, directory: Path, file_names: FileNames
) -> Iterator[View]:
    """Write the kernels of the first convolution as pictures, if it weighs pixels; yields the view."""
    layer = first_kernels(layers)
    if layer is None:
        return
    order = bundle.contract.preprocessing.order
    kernels = np.asarray(layer.keras_layer.kernel)
    pictures, largest = kernel_pictures(kernels, order=order)
    count, height, width, _ = pictures.shape
    factor = max(1, KERNEL_SIDE // max(height, width))
    tiles = mosaic.Tiles(
        pictures.repeat(factor, axis=1).repeat(factor, axis=2), largest == 0, np.arange(count)
    )
    title = f"kernels of {layer.path}"
    caption = (
        f"{count} kernels, {height}×{width}, each on its own scale: no weight is grey; hatched: all zero"
    )
    yield write_view(
        directory,
        file_names.take(f"filters/kernels_{names.file_name(layer.path)}.png", title),
        mosaic.sheet(tiles, title, caption),
        title=title,
        caption=caption,
        provenance={
            "view": "kernels",
            "layer": layer.path,
            "channels": [0, count - 1],
            "value_range": [float(kernels.min()), float(kernels.max())],
            "largest_weight": [round(float(value), 6) for value in largest],
            "normalize": "own largest absolute weight",
            "model_sha256": bundle.sha256,
        },
    )


def draw_filters(
    bundle: ModelBundle,
    layers: Sequence[Layer],
    config: FiltersConfig,
    *,
    directory: Path,
    file_names: FileNames,
    seed: int,
) -> Iterator[View]:
    """Ascend for every chosen layer and write its patterns; yields each view as it is written."""
    digits = max(2, len(str(len(bundle.layers) - 1)))
    size = min(config.size, *bundle.contract.input_size)
    paths = [file_names("filters", layer=each.path, index=f"{each.index:0{digits}d}") for each in layers]
    counts = [min(layer.channels, config.limit or layer.channels) for layer in layers]
    with progress(total=sum(counts) * config.steps, desc="filters", unit="step") as bar:
        for layer, count, path in zip(layers, counts, paths, strict=True):
            bar.set_description(f"filters of {layer.path}")
            patterns = maximize_filters(
                bundle.model,
                layer,
                range(count),
                preprocessing=bundle.contract.preprocessing,
                size=size,
                steps=config.steps,
                seed=seed,
                on_step=bar.update,
            )
            about = {"steps": config.steps, "seed": seed, "model_sha256": bundle.sha256}
            yield _write(directory, path, layer, patterns, about)


def _write(directory: Path, path: str, layer: Layer, patterns: Patterns, about: dict[str, Any]) -> View:
    count, size = patterns.pictures.shape[:2]
    silent = patterns.after <= 0
    caption = f"{count} of {layer.channels} filters, {size}×{size}, {about['steps']} steps"
    if silent.any():
        caption += f"; hatched: {int(silent.sum())} that nothing made respond"
    tiles = mosaic.Tiles(patterns.pictures, silent, np.arange(count))
    return write_view(
        directory,
        path,
        mosaic.sheet(tiles, layer.path, caption, layout=mosaic.Layout(gap=MARGIN)),
        title=layer.path,
        caption=caption,
        provenance={
            "view": "filters",
            "layer": layer.path,
            "channels": [0, count - 1],
            "value_range": [0, 255],
            "normalize": "none: the pixels that the model was shown",
            "mean_response_before": [round(float(value), 6) for value in patterns.before],
            "mean_response_after": [round(float(value), 6) for value in patterns.after],
            **about,
        },
    )
