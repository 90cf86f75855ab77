"""Gradient ascent: change pictures until an objective is high."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from convscope.errors import ConvscopeError, unknown
from convscope.graph import Layer, at_size, before_activation
from convscope.preprocessing import Preprocessing
from convscope.vis.ascent.objectives import LOGITS, PIXELS, Objective
from convscope.vis.ascent.optimizers import Optimizer
from convscope.vis.ascent.parametrizations import Parametrization
from convscope.vis.ascent.transforms import Transform
from convscope.vis.gradients import compiled


@dataclass(frozen=True)
class Recipe:
    """How pictures are changed.

    Attributes:
        parametrization: the variable.
        optimizer: how a gradient changes the variable.
        transforms: random changes before each step, in order; they draw new numbers in each step.
        steps: number of steps.
    """

    parametrization: Parametrization
    optimizer: Optimizer
    transforms: tuple[Transform, ...]
    steps: int


@dataclass(frozen=True)
class Ascent:
    """The result of gradient ascent.

    Attributes:
        pictures: uint8 (n, size, size, 3).
        growth: float32 (n, steps), the objectives of the transformed pictures at each step.
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
        ConvscopeError: the objectives differ in more than their directions or do not fit the layers, or the
            pictures are too small for a layer, or have another size than dense layers need.
    """
    how = recipe.parametrization
    response = network.objective(objectives, how.size)
    first = [how.start(np.random.default_rng(seed)) for seed in seeds] if start is None else start
    variable = tf.Variable(np.stack(list(first)))
    apply = recipe.optimizer(variable)
    seen: Any = tf.Variable(tf.zeros((len(objectives), how.size, how.size)))

    def step(seed: Any, progress: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variable)
            pixels = how.decode(variable)
            transformed = pixels
            for number, transform in enumerate(recipe.transforms):
                transformed = transform(transformed, tf.stack([seed, number]), progress)
            value = response(transformed, pixels)
        at_pixels, gradient = tape.gradient(value, [pixels, variable])
        seen.assign_add(tf.reduce_mean(tf.abs(at_pixels), -1))
        apply(gradient)
        return value

    run = compiled(step)
    growth: list[np.ndarray] = []
    frames: list[np.ndarray] = []
    for number in range(recipe.steps):
        progress = tf.constant(number / max(1, recipe.steps - 1), tf.float32)
        growth.append(np.asarray(run(tf.constant(number), progress)))
        if frame_every and number % frame_every == 0:
            frames.append(how.picture(np.asarray(how.decode(variable))))
        if on_step:
            on_step(len(objectives))
    return Ascent(
        how.picture(np.asarray(how.decode(variable))),
        np.stack(growth, 1),
        seen.numpy(),
        variable.numpy(),
        np.stack(frames, 1) if frames else None,
    )


class Network:
    """A model that measures objectives on pictures of any size."""

    def __init__(self, model: keras.Model, layers: Sequence[Layer], preprocessing: Preprocessing) -> None:
        """Store the parts.

        Args:
            model: a flat model with one picture as input.
            layers: its layers.
            preprocessing: encodes the pixels.
        """
        self.model, self.preprocessing = model, preprocessing
        self._layers = {layer.path: layer for layer in layers}

    def has_maps(self, name: str) -> bool:
        """Return whether a layer has feature maps, not units."""
        return name == PIXELS or (name != LOGITS and self._layer(name).has_maps)

    def objective(self, objectives: Sequence[Objective], size: int) -> Callable[..., Any]:
        """Return a function of pictures (n · batch, size, size, 3) that returns their objectives, (batch,).

        Args:
            objectives: one for each picture; they differ in their directions only.
            size: height and width of the pictures in pixels.

        With n pictures in a row for each objective, the function returns the means. A second argument has
        the pictures before the transforms, (batch, size, size, 3), for terms that measure `PIXELS`.

        Raises:
            ConvscopeError: the objectives differ in more or do not fit the layers, or the pictures do not fit
                a layer.
        """
        form = objectives[0].form
        if any(objective.form != form for objective in objectives):
            raise ConvscopeError(
                "the objectives of one call differ in layers, measures or factors: expected objectives that "
                "differ in channels or directions only; call once for each kind"
            )
        names = [name for name in dict.fromkeys(name for name, _, _ in form) if name != PIXELS]
        values = self.values(names, size)
        shapes = dict(zip(names, values.shapes, strict=True)) | {PIXELS: (size, size, 3)}
        directions = [
            np.stack([objective.terms[number].weights(shapes[name][-1]) for objective in objectives])
            for number, (name, _, _) in enumerate(form)
        ]
        for (name, measure, _), weights in zip(form, directions, strict=True):
            if None not in shapes[name]:  # errors in a compiled graph have many lines
                measure(tf.zeros((1, *shapes[name])), tf.constant(weights[:1]))

        def measured(pictures: Any, pixels: Any = None) -> Any:
            of_layer = dict(zip(names, values(pictures), strict=True))
            of_layer[PIXELS] = pictures if pixels is None else pixels
            total = 0.0
            for (name, measure, factor), weights in zip(form, directions, strict=True):
                copies = of_layer[name].shape[0] // len(objectives)
                value = measure(of_layer[name], tf.constant(weights.repeat(copies, 0)))
                total += factor * tf.reduce_mean(tf.reshape(value, [len(objectives), copies]), 1)
            return total

        return measured

    def values(self, names: Sequence[str], size: int) -> "LayerValues":
        """Return a function of pictures that returns the values of layers before their activation."""
        if not names:  # the objective depends on the pixels only
            return LayerValues(None, self.preprocessing)
        outputs = [
            before_activation(self.model.outputs[0] if name == LOGITS else self._layer(name).output)
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

    def _layer(self, name: str) -> Layer:
        if name not in self._layers:
            raise unknown("layer", name, [LOGITS, *self._layers])
        return self._layers[name]


class LayerValues:
    """The values of layers for pictures of one size.

    Attributes:
        shapes: the shape of the values of each layer without the batch.
    """

    def __init__(self, cut: keras.Model | None, preprocessing: Preprocessing) -> None:
        """Store the model, None for no layers, and the preprocessing of its input."""
        self._cut, self._preprocessing = cut, preprocessing
        self.shapes = [tuple(output.shape[1:]) for output in cut.outputs] if cut else []

    def __call__(self, pictures: Any) -> list[Any]:
        """Return the values, float32 (batch, …, channels), of pixels (batch, size, size, 3)."""
        if self._cut is None:
            return []
        outputs = self._cut(self._preprocessing.encode(pictures), training=False)
        return [tf.cast(output, tf.float32) for output in keras.tree.flatten(outputs)]


def _size(model: keras.Model) -> str:
    return "×".join(str(side) for side in model.inputs[0].shape[1:3])
