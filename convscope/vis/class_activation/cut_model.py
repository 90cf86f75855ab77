"""A classifier that is cut at a layer, with the scores of classes and their gradients."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from convscope.graph import Layer, activation_of, before_activation, of_logits
from convscope.vis.extractor import check_finite
from convscope.vis.gradients import compiled as as_graph
from convscope.vis.gradients import value_and_gradient
from convscope.vis.tensor_graph import others_needed


class CutModel:
    """A classifier, cut in two at a layer: up to its maps, and from there to the logits.

    The layer may be in a branch. The outputs of the other branches are then constants.

    A target is float32 (logits,), the weight of each logit in the score: see `targets`.

    All functions raise ConvscopeError if the maps or the logits have values that are not finite.
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
        self._activation = activation_of(model.outputs[0])
        self._path, self._last = layer.path, model.output_names[0]
        self._known: tuple[np.ndarray, list[Any]] | None = None  # inputs with their maps
        wrap: Callable[..., Any] = as_graph if compiled else lambda function: function
        self._run = wrap(lambda inputs: keras.ops.cast(self._whole(inputs, training=False), "float32"))
        self._to_maps = wrap(lambda inputs: keras.tree.flatten(self._trunk(inputs, training=False)))
        self._of_maps = wrap(lambda cut: keras.ops.cast(self._head(cut, training=False), "float32"))
        self._from_maps = wrap(self._differentiate_from_maps)
        self._at_maps = wrap(self._differentiate_at_maps)
        self._at_input = wrap(self._differentiate_at_input)

    def logits(self, inputs: np.ndarray, *, keep_maps: bool = False) -> np.ndarray:
        """Return the logits, float32 (batch, logits), of inputs (batch, height, width, channels).

        With `keep_maps`, a call of `at_maps` with the same array, the next one, uses the maps of this call.
        """
        if keep_maps:
            maps = self._to_maps(keras.ops.convert_to_tensor(inputs))
            self._known = inputs, maps
            return _finite(self._last, self._of_maps(maps))
        return _finite(self._last, self._run(keras.ops.convert_to_tensor(inputs)))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability of each class, float64 (batch, classes), for logits (batch, logits)."""
        return of_logits(logits, self._activation)

    def at_maps(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the maps, the gradients of the scores at the maps, and the logits.

        Args:
            inputs: preprocessed pictures, float32 (batch, height, width, channels).
            targets: float32 (batch, logits).

        Returns:
            float64 (batch, h, w, c), the same shape, and (batch, logits).
        """
        known, self._known = self._known, None  # used once: the weights may change later
        if known is not None and known[0] is inputs:
            maps, gradients, logits = self._from_maps(known[1], keras.ops.convert_to_tensor(targets))
        else:
            maps, gradients, logits = self._at_maps(*map(keras.ops.convert_to_tensor, (inputs, targets)))
        maps, logits = _finite(self._path, maps), _finite(self._last, logits)
        return _double(maps), _double(gradients), _double(logits)

    def maps(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the maps, (batch, h, w, c), and the logits, (batch, logits), without gradients; float64."""
        known, self._known = self._known, None
        is_known = known is not None and known[0] is inputs
        cut = known[1] if known and is_known else self._to_maps(keras.ops.convert_to_tensor(inputs))
        return _double(_finite(self._path, cut[0])), _double(_finite(self._last, self._of_maps(cut)))

    def at_input(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of the scores at the inputs, of their shape, and the logits; both float64."""
        gradients, logits = self._at_input(*map(keras.ops.convert_to_tensor, (inputs, targets)))
        return _double(gradients), _double(_finite(self._last, logits))

    def _differentiate_at_maps(self, inputs: Any, targets: Any) -> tuple[Any, Any, Any]:
        return self._differentiate_from_maps(keras.tree.flatten(self._trunk(inputs, training=False)), targets)

    def _differentiate_from_maps(self, cut: list[Any], targets: Any) -> tuple[Any, Any, Any]:
        maps, *others = cut
        gradient, logits = _of_scores(
            lambda point: self._head([point, *others], training=False), maps, targets
        )
        return maps, gradient, logits

    def _differentiate_at_input(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        return _of_scores(lambda point: self._whole(point, training=False), inputs, targets)


def _of_scores(function: Callable[[Any], Any], point: Any, targets: Any) -> tuple[Any, Any]:
    """Return the gradient of the scores at `point`, and the logits, which the function returns."""
    logits = []

    def score(value: Any) -> Any:
        logits.append(keras.ops.cast(function(value), "float32"))
        return logits[0] * targets  # the gradient is that of the sum

    _, gradient = value_and_gradient(score, point)
    return gradient, logits[0]


def _finite(path: str, tensor: Any) -> np.ndarray:
    """Return the output of a layer; raise ConvscopeError if it has values that are not finite."""
    output = np.asarray(tensor)
    check_finite(path, output)
    return output


def _double(tensor: Any) -> np.ndarray:
    return np.asarray(tensor, np.float64)
