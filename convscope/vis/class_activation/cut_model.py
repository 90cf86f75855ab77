"""A classifier that is cut at a layer, with the scores of classes and their gradients."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from convscope.graph import Layer, before_activation
from convscope.vis.gradients import compiled as as_graph
from convscope.vis.gradients import value_and_gradient
from convscope.vis.tensor_graph import others_needed


class CutModel:
    """A classifier, cut in two at a layer: up to its maps, and from there to the logits.

    The layer may be in a branch. The outputs of the other branches are then constants.

    A target is float32 (logits,), the weight of each logit in the score: see `targets`.
    """

    def __init__(self, model: keras.Model, layer: Layer, *, compiled: bool = False):
        """Cut a flat model.

        Args:
            model: a classifier with one input; its output is (batch, classes) or a single sigmoid unit.
            layer: a layer with feature maps.
            compiled: whether to trace each function as a graph at its first call. It pays off after several
                calls with the same shapes.
        """
        logits = before_activation(model.outputs[0])
        cut = [layer.output, *others_needed(layer.output, logits)]
        self._trunk = keras.Model(model.inputs[0], cut)
        self._head = keras.Model(cut, logits)
        self._whole = keras.Model(model.inputs[0], logits)
        self.logit_count = int(logits.shape[-1])
        wrap: Callable[..., Any] = as_graph if compiled else lambda function: function
        self._run = wrap(lambda inputs: keras.ops.cast(self._whole(inputs, training=False), "float32"))
        self._at_maps = wrap(self._differentiate_at_maps)
        self._at_input = wrap(self._differentiate_at_input)

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits, float32 (batch, logits), of inputs (batch, height, width, channels)."""
        return np.asarray(self._run(keras.ops.convert_to_tensor(inputs)))

    def at_maps(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the maps, the gradients of the scores at the maps, and the scores.

        Args:
            inputs: preprocessed pictures, float32 (batch, height, width, channels).
            targets: float32 (batch, logits).

        Returns:
            float64 (batch, h, w, c), the same shape, and float64 (batch,).
        """
        maps, gradients, scores = self._at_maps(*map(keras.ops.convert_to_tensor, (inputs, targets)))
        return _double(maps), _double(gradients), _double(scores)

    def at_input(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of the scores at the inputs, float64 like `inputs`, and the scores."""
        gradients, scores = self._at_input(*map(keras.ops.convert_to_tensor, (inputs, targets)))
        return _double(gradients), _double(scores)

    def _differentiate_at_maps(self, inputs: Any, targets: Any) -> tuple[Any, Any, Any]:
        maps, *others = keras.tree.flatten(self._trunk(inputs, training=False))

        def score(point: Any) -> Any:
            return _scores(self._head([point, *others], training=False), targets)

        value, gradient = value_and_gradient(score, maps)
        return maps, gradient, value

    def _differentiate_at_input(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        value, gradient = value_and_gradient(
            lambda point: _scores(self._whole(point, training=False), targets), inputs
        )
        return gradient, value


def _scores(logits: Any, targets: Any) -> Any:
    return keras.ops.sum(keras.ops.cast(logits, "float32") * targets, axis=-1)


def _double(tensor: Any) -> np.ndarray:
    return np.asarray(tensor, np.float64)
