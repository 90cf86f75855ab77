"""Gradient ascent: change pictures until an objective is high."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from convscope.errors import ConvscopeError
from convscope.graph import Layer, at_size, before_activation
from convscope.preprocessing import Preprocessing
from convscope.vis.ascent.objectives import LOGITS, PIXELS, Measure, Objective
from convscope.vis.ascent.optimizers import Optimizer
from convscope.vis.ascent.parametrizations import Parametrization
from convscope.vis.ascent.transforms import Crops, Transform
from convscope.vis.gradients import compiled


@dataclass(frozen=True)
class Recipe:
    """How pictures are changed.

    Attributes:
        parametrization: the variable.
        optimizer: how a gradient changes the variable.
        transforms: random changes before each step, in order; they draw new numbers in each step.
        steps: number of steps.
        window: a picture is finished before if the mean objective of this number of steps is positive and
            less than 1 % above that of as many steps before. 0 takes all steps; objectives that change during
            the ascent need them.
    """

    parametrization: Parametrization
    optimizer: Optimizer
    transforms: tuple[Transform, ...]
    steps: int
    window: int = 0

    @property
    def input_size(self) -> int:
        """Height and width of the pictures after the transforms, in pixels."""
        crops = [transform.size for transform in self.transforms if isinstance(transform, Crops)]
        return crops[-1] if crops else self.parametrization.size


@dataclass(frozen=True)
class Ascent:
    """The result of gradient ascent.

    Attributes:
        pictures: uint8 (n, size, size, 3).
        growth: float32 (n, steps), the objectives of the transformed pictures at each step; the last one is
            repeated after the end of an ascent that converges.
        sensitivity: float32 (n, size, size), the sum over the steps of the magnitude of the gradient at each
            pixel, mean of the colours.
        variables: the variables of the parametrization at the end, (n, …).
        frames: uint8 (n, frames, size, size, 3), the pictures during the ascent; None if not requested.
    """

    pictures: np.ndarray
    growth: np.ndarray
    sensitivity: np.ndarray
    variables: np.ndarray
    frames: np.ndarray | None = None


def maximize(
    network: "Network",
    objectives: Sequence[Objective],
    recipe: Recipe,
    *,
    seeds: Sequence[int | tuple[int, ...]],
    start: np.ndarray | None = None,
    frame_every: int = 0,
    on_step: Callable[[int], Any] | None = None,
) -> Ascent:
    """Change one picture for each objective, all in one batch.

    A picture depends on its objective, its seed and the recipe, but not on the other pictures, unless the
    objective compares them (`diversity`).

    Args:
        network: the network, which encodes pixels.
        objectives: they differ in their directions only.
        recipe: how the pictures are changed.
        seeds: a seed for the start of each picture. All pictures share the draws of the transforms, which
            are always the same.
        start: variables of the parametrization to start from instead of noise, (n, …).
        frame_every: keep the pictures of every n-th step; 0 keeps none.
        on_step: a callback for a progress bar: called after each step with the number of pictures.

    Raises:
        ValueError: the objectives differ in more than their directions, or do not fit the layers.
        ConvscopeError: the pictures are too small for a layer, or have another size than dense layers need.
    """
    how = recipe.parametrization
    first = [how.start(np.random.default_rng(seed)) for seed in seeds] if start is None else start
    step = network.step(objectives, recipe, np.stack(list(first)))
    growth: list[np.ndarray] = []
    frames: list[np.ndarray] = []
    active = np.ones(len(objectives), bool)
    for number in range(recipe.steps):
        growth.append(step(number, active))
        if frame_every and number % frame_every == 0:
            frames.append(step.pictures())
        if on_step:
            on_step(len(objectives))
        active &= ~_converged(growth, recipe.window)
        if not active.any():
            break
    missing = recipe.steps - len(growth)
    if missing and on_step:
        on_step(missing * len(objectives))
    return Ascent(
        step.pictures(),
        np.stack(growth + growth[-1:] * missing, 1),
        step.sensitivity.numpy(),
        step.variable.numpy(),
        np.stack(frames, 1) if frames else None,
    )


def _converged(growth: Sequence[np.ndarray], window: int) -> np.ndarray:
    """Return which objectives rise by less than 1 % between the last two windows, bool (n,).

    Each picture ends by itself, because a pattern must not depend on the others in the batch. A picture
    with an objective below 0 takes all steps: it may still find a response.
    """
    if not window or len(growth) < 2 * window:
        return np.zeros(len(growth[0]), bool)
    before, last = np.mean(growth[-2 * window : -window], 0), np.mean(growth[-window:], 0)
    return (last > 0) & (last - before < 0.01 * last)


class _Step:
    """A step of gradient ascent, traced once for all objectives of one form, and its variables.

    Attributes:
        variable: the variables of the parametrization, (n, …).
        sensitivity: see `Ascent`.
    """

    def __init__(self, response: Callable[[Any, list[Any]], Any], recipe: Recipe, start: np.ndarray) -> None:
        """Create the variables; `response` is a function of pictures and directions."""
        self._response, self._recipe = response, recipe
        size = recipe.parametrization.size
        self.variable: Any = tf.Variable(start)
        self.sensitivity: Any = tf.Variable(tf.zeros((len(start), size, size)))
        self._apply, state = recipe.optimizer(self.variable)
        self._state = [(variable, variable.numpy()) for variable in state]
        self._directions: list[Any] = []
        self._run = compiled(self._change)

    def begin(self, start: np.ndarray, directions: Sequence[np.ndarray]) -> None:
        """Begin an ascent from other variables, for other directions."""
        self.variable.assign(start)
        self.sensitivity.assign(tf.zeros_like(self.sensitivity))
        for variable, value in self._state:
            variable.assign(value)
        self._directions = [tf.constant(each) for each in directions]

    def __call__(self, number: int, active: np.ndarray) -> np.ndarray:
        """Change the active pictures; return the objectives before, float32 (n,)."""
        progress = tf.constant(number / max(1, self._recipe.steps - 1), tf.float32)
        return np.asarray(self._run(self._directions, tf.constant(number), progress, tf.constant(active)))

    def pictures(self) -> np.ndarray:
        """Return the pictures as they are saved, uint8 (n, size, size, 3)."""
        how = self._recipe.parametrization
        return how.picture(np.asarray(how.decode(self.variable)))

    def _change(self, directions: list[Any], seed: Any, progress: Any, active: Any) -> Any:
        before = tf.identity(self.variable)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(before)
            pixels = self._recipe.parametrization.decode(before)
            transformed = pixels
            for number, transform in enumerate(self._recipe.transforms):
                transformed = transform(transformed, tf.stack([seed, number]), progress)
            value = self._response(transformed, directions)
        at_pixels, gradient = tape.gradient(value, [pixels, before])
        self._apply(gradient)
        self.variable.assign(tf.where(_columns(active, before), self.variable, before))
        seen = tf.reduce_mean(tf.abs(at_pixels), -1)
        self.sensitivity.assign_add(tf.where(_columns(active, seen), seen, 0))
        return value


def _columns(active: Any, values: Any) -> Any:
    return tf.reshape(active, [-1] + [1] * (len(values.shape) - 1))


class Network:
    """A model that measures objectives on pictures of any size."""

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[Layer],
        preprocessing: Preprocessing,
        *,
        bfloat16: bool = False,
    ) -> None:
        """Store the parts.

        Args:
            model: a flat model with one picture as input.
            layers: its layers.
            preprocessing: encodes the pixels.
            bfloat16: ascend in bfloat16, but not with depthwise convolutions, which are slower in it. Values
                of layers are always measured in float32.
        """
        self.model, self.preprocessing, self._bfloat16 = model, preprocessing, bfloat16
        self._layers = {layer.path: layer for layer in layers}
        self._values: dict[tuple[tuple[str, ...], int], LayerValues] = {}
        self._steps: dict[Any, _Step] = {}

    def has_maps(self, name: str) -> bool:
        """Return whether a layer has feature maps, not units."""
        return name == PIXELS or (name != LOGITS and self._layers[name].has_maps)

    def step(self, objectives: Sequence[Objective], recipe: Recipe, start: np.ndarray) -> _Step:
        """Return a step that begins at `start`; steps of one form and one recipe are one traced graph.

        Raises:
            ValueError: the objectives differ in more than their directions, or do not fit the layers.
            ConvscopeError: the pictures do not fit a layer.
        """
        form = objectives[0].form
        if any(objective.form != form for objective in objectives):
            raise ValueError("the objectives of one batch must differ in their directions only")
        names = [name for name in dict.fromkeys(name for name, _, _ in form) if name != PIXELS]
        values = self.values(names, recipe.input_size)
        channels = dict(zip(names, values.channels, strict=True)) | {PIXELS: 3}
        directions = [
            np.stack([objective.terms[number].weights(channels[name]) for objective in objectives])
            for number, (name, _, _) in enumerate(form)
        ]
        key = tuple(form), recipe, start.shape
        if key not in self._steps:
            if len(self._steps) > 1:  # bounded memory: layers come one after another
                del self._steps[next(iter(self._steps))]
            if self._bfloat16 and not values.depthwise:
                values = self._cut(names, recipe.input_size).in_bfloat16()
            self._steps[key] = _Step(_response(form, names, values), recipe, start)
        self._steps[key].begin(start, directions)
        return self._steps[key]

    def values(self, names: Sequence[str], size: int) -> "LayerValues":
        """Return a function of pictures that returns the values of layers before their activation."""
        key = tuple(names), size
        if key not in self._values:
            self._values[key] = self._cut(names, size)
        return self._values[key]

    def _cut(self, names: Sequence[str], size: int) -> "LayerValues":
        outputs = [
            before_activation(self.model.outputs[0] if name == LOGITS else self._layers[name].output)
            for name in names
        ]
        try:
            cut = at_size(
                keras.Model(self.model.inputs[0], outputs), (size, size, self.model.inputs[0].shape[-1])
            )
        except ValueError as error:
            raise ConvscopeError(
                f"pictures of {size}×{size} pixels do not fit {', '.join(names)}: maps need a larger size, "
                f"and dense layers that of the model's input, {_size(self.model)}"
            ) from error
        return LayerValues(cut, self.preprocessing)


class LayerValues:
    """The values of layers for pictures of one size.

    Attributes:
        channels: the number of channels or units of each layer.
    """

    def __init__(self, cut: keras.Model, preprocessing: Preprocessing) -> None:
        """Store the model and the preprocessing of its input."""
        self._cut, self._preprocessing = cut, preprocessing
        self.channels = [output.shape[-1] for output in cut.outputs]

    @property
    def depthwise(self) -> bool:
        """Whether there are depthwise convolutions."""
        kinds = keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D
        return any(isinstance(layer, kinds) for layer in self._cut.layers)

    def in_bfloat16(self) -> "LayerValues":
        """Compute in bfloat16 from now on; return the same object."""
        for layer in self._cut.layers:
            layer.dtype_policy = "mixed_bfloat16"
        return self

    def __call__(self, pictures: Any) -> list[Any]:
        """Return the values, float32 (batch, …, channels), of pixels (batch, size, size, 3)."""
        outputs = self._cut(self._preprocessing.encode(pictures), training=False)
        return [tf.cast(output, tf.float32) for output in keras.tree.flatten(outputs)]


def _response(
    form: Sequence[tuple[str, Measure, float]], names: Sequence[str], values: LayerValues
) -> Callable[[Any, list[Any]], Any]:
    """Return a function of pictures (n · batch, size, size, 3) and directions: their objectives, (batch,).

    With n pictures in a row for each objective, it returns the means.
    """

    def measured(pictures: Any, directions: list[Any]) -> Any:
        count = directions[0].shape[0]
        copies = pictures.shape[0] // count
        of_layer = dict(zip(names, values(pictures), strict=True)) | {PIXELS: pictures}
        total = 0.0
        for (name, measure, factor), weights in zip(form, directions, strict=True):
            total += factor * measure(of_layer[name], tf.repeat(weights, copies, 0))
        return tf.reduce_mean(tf.reshape(total, [count, copies]), 1)

    return measured


def _size(model: keras.Model) -> str:
    return "×".join(str(side) for side in model.inputs[0].shape[1:3])
