"""Photographs of the run, changed a little so that a channel responds more: what in them excites it."""

from collections.abc import Iterator, Sequence

import numpy as np

from convscope import images, names
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.view import View
from convscope.config.schema.views.filters import FiltersConfig
from convscope.graph import Layer
from convscope.progress import progress
from convscope.render import rows
from convscope.render.artifact import Artifact
from convscope.vis.ascent.accentuation import STEPS, STRENGTH, Accentuated, accentuate
from convscope.vis.ascent.maximize import Network

CHANNELS = 4  # of each layer and photograph
_GREY = 128
_CONTRAST = 4  # factor of the difference in its picture


def accentuated(
    view: View[FiltersConfig], photographs: Sequence[Photograph], layer: Layer, channels: Sequence[int]
) -> Iterator[Artifact]:
    """Yield a sheet for each photograph that excites a channel of the layer.

    Args:
        view: the view, with a single model.
        photographs: the photographs; none draws nothing.
        layer: the layer.
        channels: the channels that the view draws; a sheet has those with the highest responses.
    """
    if not photographs:
        return
    bundle = view.run.models.first
    network = Network(bundle.model, bundle.layers, bundle.contract.preprocessing)
    description = f"accentuation, {layer.path}"
    for photograph in progress(photographs, desc=description, unit="photograph", leave=False):
        pixels = images.resize(photograph.resized, *[min(bundle.contract.input_size)] * 2)
        found = accentuate(network, layer.path, channels, pixels, count=CHANNELS)
        if found:
            yield _sheet(view, photograph, layer, pixels, found)


def _sheet(
    view: View[FiltersConfig], photograph: Photograph, layer: Layer, pixels: np.ndarray, found: Accentuated
) -> Artifact:
    title = f"{layer.path}, accentuated"
    path = view.reserve(
        f"filters/{photograph.key}/{view.index_of(layer)}_{names.file_name(layer.path)}_accentuated.jpg",
        title,
    )
    difference = _GREY + _CONTRAST * (found.pictures.astype(int) - pixels)
    columns = [np.broadcast_to(pixels, found.pictures.shape), found.pictures, np.clip(difference, 0, 255)]
    sheet = rows.Rows(
        np.stack(columns, axis=1).astype(np.uint8),
        np.zeros((len(found.channels), 3), bool),
        [str(channel) for channel in found.channels],
        [f"{after / before:.1f}×" for before, after in zip(found.before, found.after, strict=True)],
    )
    responses = ", ".join(
        f"{channel}: {before:.3g} to {after:.3g}"
        for channel, before, after in zip(found.channels, found.before, found.after, strict=True)
    )
    subtitle = f"the photograph, the accentuated photograph, and {_CONTRAST}× their difference"
    about = {
        "layer": layer.path,
        "channels": [int(found.channels.min()), int(found.channels.max())],
        "chosen": found.channels.tolist(),
        "value_range": [0, 255],
        "normalize": "none: the pixels that the model was shown",
        "mean_positive_response": [[float(one) for one in both] for both in (found.before, found.after)],
        "steps": STEPS,
        "strength": STRENGTH,
    }
    return view.picture(
        path,
        rows.sheet(sheet, title, subtitle),
        title=title,
        caption=f"{subtitle}; mean positive response of channel {responses}",
        photograph=photograph,
        about=about,
    )
