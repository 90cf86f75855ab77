"""Feature maps of a photograph across the epochs of a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.api.model import OpenModel
from convscope.api.photographs import Photograph
from convscope.files import user_path
from convscope.models.states import open_snapshots
from convscope.vis.extractor import Extractor
from convscope.vis.followed_channels import Followed, most_changed, select_channels


@dataclass(frozen=True)
class Evolution:
    """Feature maps of a photograph after several epochs.

    `epochs` are the numbers of the epochs; epoch 0 is before the first step. `maps` has the feature maps by
    layer path, float32 (epochs, height, width, channels).
    """

    epochs: list[int]
    maps: dict[str, np.ndarray]


def evolution(
    run: str | Path,
    photograph: Photograph,
    layers: Sequence[str] = (),
    channels: Sequence[int] = (),
    *,
    allow_code: bool = False,
) -> Evolution:
    """Return the feature maps of a photograph after each epoch of a training with `callbacks=[snapshots]`.

    Args:
        run: the run directory of train.py.
        photograph: see `OpenModel.encode`.
        layers: see `OpenModel.activations`. If empty, the last convolution.
        channels: indices of channels, from 0. If empty, the 8 channels that change most.
        allow_code: see `open_model`.

    Raises:
        ConvscopeError: the run has no snapshots, or a layer or a channel does not exist.
    """
    directory = user_path(run)
    states = open_snapshots(directory, allow_code=allow_code)
    network = states[0].bundle
    followed = select_channels(network.layers, layers, channels)
    extract = Extractor(network.model, [entry.layer for entry in followed])
    inputs = OpenModel(network).encode(photograph)
    outputs = []
    for state in states:
        state.load_weights()
        outputs.append(extract(inputs))
    if not channels:
        first, last = outputs[0], outputs[-1]
        followed = [
            Followed(entry.layer, most_changed(first[entry.layer.path], last[entry.layer.path]))
            for entry in followed
        ]
    maps = {
        entry.layer.path: np.stack([maps[entry.layer.path][0][..., entry.channels] for maps in outputs])
        for entry in followed
    }
    return Evolution([int(state.title) for state in states], maps)
