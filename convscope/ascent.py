"""The building blocks of gradient ascent, for `OpenModel.ascend`; docs/api.md has examples.

- Objectives: `channel`, `direction`, `logit`, `whole_layer`, `diversity`, `distance`. They can be added,
  subtracted and multiplied by a number. `LOGITS` and `PIXELS` take the place of a layer.
- Measures of a channel: `mean`, `mean_positive`, `At`.
- Parametrizations: `Pixels`, `Fourier`, `Maco`. `Spectrum` has the magnitudes for `Maco`.
- Transforms: `Jitter`, `Turn`, `Crops`, `Noise`.
- Optimizers: `adam`, `nadam`, `normalized`.
- `Recipe` joins the last three. `maximize(network, objectives, recipe, seeds=…)` changes pictures, and
  returns an `Ascent`; `Network` measures objectives.
"""

import sys

from convscope.quiet import import_tensorflow

if "tensorflow" not in sys.modules:  # this module can also be imported first
    import_tensorflow(as_library=True)

from convscope.vis.ascent.maximize import Ascent, Network, Recipe, maximize
from convscope.vis.ascent.natural_images import Spectrum
from convscope.vis.ascent.objectives import (
    LOGITS,
    PIXELS,
    At,
    Objective,
    channel,
    direction,
    distance,
    diversity,
    logit,
    mean,
    mean_positive,
    whole_layer,
)
from convscope.vis.ascent.optimizers import adam, nadam, normalized
from convscope.vis.ascent.parametrizations import Fourier, Maco, Pixels
from convscope.vis.ascent.transforms import Crops, Jitter, Noise, Turn

__all__ = [
    "LOGITS",
    "PIXELS",
    "Ascent",
    "At",
    "Crops",
    "Fourier",
    "Jitter",
    "Maco",
    "Network",
    "Noise",
    "Objective",
    "Pixels",
    "Recipe",
    "Spectrum",
    "Turn",
    "adam",
    "channel",
    "direction",
    "distance",
    "diversity",
    "logit",
    "maximize",
    "mean",
    "mean_positive",
    "nadam",
    "normalized",
    "whole_layer",
]
