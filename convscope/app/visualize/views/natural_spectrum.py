"""The colours and the spectrum of a model's own data set, which patterns should be near."""

from dataclasses import replace

import numpy as np

from convscope import images
from convscope.data.pipeline import labelled_images
from convscope.data.training_data import TrainingData
from convscope.parallel import in_threads
from convscope.vis.ascent.natural_images import Spectrum, measured_colors, measured_spectrum

FEWEST = 300  # train images that a spectrum needs; with fewer, it is a fit to ImageNet
MOST = 512  # evenly spread train images that it is measured on
_BATCH = 64


def natural_spectrum(data: TrainingData, size: int) -> Spectrum:
    """Return colours and magnitudes for pictures of a size, or the fit to ImageNet.

    They are those of the train images if there are at least `FEWEST`.
    """
    if data.manifest is None or len(data.manifest.of_split("train")) < FEWEST:
        return Spectrum()
    found = labelled_images(data.root, data.manifest, "train").spread(MOST)
    indices = range(len(found.paths))
    pictures = list(in_threads(lambda index: images.resize(found.read(index), size, size), indices))
    batches = [np.stack(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)]
    spectrum = measured_spectrum(batches, measured_colors(batches))
    return replace(spectrum, source=f"{len(pictures)} train images")
