"""Class activation maps: the positions of a photograph that are evidence for a class.

The methods differ in one function, the weighting. `WEIGHTINGS` maps the name of each method to its weighting.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from convscope.graph import Layer, before_activation
from convscope.vis.gradients import value_and_gradient
from convscope.vis.tensor_graph import others_needed


def mean_gradient(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return one weight for each channel: the mean of the gradient over its positions.

    R. R. Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization
    (2017).
    """
    return gradient.mean(axis=(0, 1))


# A function of the maps and of the gradient of the class's logit, both float64 (height, width, channels). It
# returns weights that are broadcast to the maps: (channels,) or (height, width, channels).
Weighting = Callable[[np.ndarray, np.ndarray], np.ndarray]
WEIGHTINGS: dict[str, Weighting] = {"grad_cam": mean_gradient}


@dataclass(frozen=True)
class Heatmap:
    """The evidence for a class at each position of a layer's maps.

    `heat`, float32 (height, width), is the weighted sum of the activations after ReLU, 0 or more, in logits.
    `score` is the logit of the class.
    """

    heat: np.ndarray
    score: float


class Cam:
    """Class activation maps of one model and layer; the graph is cut in two once, for all photographs.

    The layer may be in a branch. The outputs of the other branches are then constants.
    """

    def __init__(self, model: keras.Model, layer: Layer, weighting: Weighting = mean_gradient):
        """Cut the model at `layer`: up to its maps, and from there to the logits."""
        self._weighting = weighting
        logits = before_activation(model.outputs[0])
        cut = [layer.output, *others_needed(layer.output, logits)]
        self._trunk = keras.Model(model.inputs[0], cut)
        self._head = keras.Model(cut, logits)
        self._sigmoid = model.output_shape[-1] == 1

    def __call__(self, inputs: np.ndarray, class_index: int) -> Heatmap:
        """Compute the heat and the score of one class for one photograph.

        The maps are multiplied by their weights and summed over the channels; negative sums become zero. With
        one sigmoid unit, the score of class 0 is minus the logit.

        Args:
            inputs: one preprocessed picture, float32 (1, height, width, channels).
            class_index: the index of the class.
        """

        def score(maps: keras.KerasTensor) -> keras.KerasTensor:
            logits = self._head([maps, *others], training=False)
            if self._sigmoid:
                return logits[:, 0] * (1.0 if class_index == 1 else -1.0)
            return logits[:, class_index]

        maps, *others = keras.tree.flatten(self._trunk(inputs, training=False))
        value, gradient = value_and_gradient(score, maps)
        values = np.asarray(maps, np.float64)[0]
        weights = self._weighting(values, np.asarray(gradient, np.float64)[0])
        heat = values @ weights if weights.ndim == 1 else (values * weights).sum(axis=-1)
        return Heatmap(np.maximum(heat, 0).astype(np.float32), float(value[0]))


def relative(heat: np.ndarray) -> np.ndarray:
    """Return the heat as a share of its maximum, 0..1; all zero if there is no evidence for the class."""
    highest = float(heat.max())
    return heat / highest if highest > 0 else np.zeros_like(heat)
