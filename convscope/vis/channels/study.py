"""The study of channels: all numbers about the channels of layers, in a limited amount of work."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from convscope.graph import JoinedLayer, Layer, before_activation, joined_layers
from convscope.graph.recording import ancestors
from convscope.progress import progress
from convscope.vis.channels.links import Links, strongest_links
from convscope.vis.channels.push import class_push
from convscope.vis.channels.removal import Accuracy, Removal
from convscope.vis.channels.survey import LayerSurvey, similar, survey
from convscope.vis.channels.work import (
    PER_MINUTE,
    divided,
    evenly_limited,
    values_of,
    work_of,
    work_of_measuring,
)
from convscope.vis.class_activation.targets import of_class
from convscope.vis.layer_selection import select, without_maps

CLASSES = 10  # with numbers of their own, at most
RELATIVES = 5  # similar channels and links in each direction, at most
EVALUATED = 128  # images for push and removal, at most
_FEWEST = 32  # images, even if they need more than their share of the work
_VALUES = 2**26  # of all layers in one batch for the push; their gradients need as much memory again
_SHARE = 0.25  # of the work, for the survey and for the push


@dataclass(frozen=True)
class Reference:
    """Images to study channels on.

    Attributes:
        count: the number of images.
        labels: the true class of each image, int (count,), or None if it is not known.
        batches: a function from indices of images to batches of them, preprocessed, float32 (batch, height,
            width, channels).
    """

    count: int
    labels: np.ndarray | None
    batches: Callable[[np.ndarray], Iterable[np.ndarray]]


@dataclass(frozen=True)
class LayerStudy:
    """The channels of one layer.

    Attributes:
        layer: the layer.
        values: their values for the images of the study.
        push: the push to each class in logits, float64 (channels, classes); None if the logits do not depend
            on the maps of the layer.
        similar: for each channel, the channels with the highest correlation of the mean over positions, and
            the correlation.
        links: the strongest links to channels of other layers, None if they are not known.
        removed: the channels that were removed one at a time, int (m,).
        change: the change of the accuracy for each of them.
    """

    layer: JoinedLayer
    values: LayerSurvey
    push: np.ndarray | None
    similar: list[list[tuple[int, float]]]
    links: Links | None
    removed: np.ndarray
    change: Accuracy | None

    @property
    def by_push(self) -> np.ndarray:
        """The channels, those with the strongest push to any class first, int (channels,)."""
        if self.push is None:
            return np.arange(self.layer.output.channels)
        return _by_push(self.push)


@dataclass(frozen=True)
class Study:
    """The study of the channels of several layers.

    Attributes:
        layers: in the order of the graph.
        images: the indices of the images with values, int (n,).
        evaluated: the indices of the images for push and removal, int (m,).
        classes: the classes with numbers of their own, ten at most: those of the most images.
        groups: the class of each of `images`, int (n,).
        has_truth: whether `groups` are true classes; otherwise, they are predicted ones.
        before: the accuracy without removal, None if no channel was removed.
        left_out: what was not computed, as sentences.
    """

    layers: list[LayerStudy]
    images: np.ndarray
    evaluated: np.ndarray
    classes: np.ndarray
    groups: np.ndarray
    has_truth: bool
    before: Accuracy | None
    left_out: list[str]


def layers_to_study(layers: Sequence[Layer], patterns: Sequence[str], key: str) -> list[JoinedLayer]:
    """Return the joined layers with a member that matches a pattern; without patterns, all convolutions.

    `key` is the name of the setting in error messages.

    Raises:
        ConvscopeError: a pattern matches no layer, or a layer has no feature maps.
    """
    joined = joined_layers(layers)
    if not patterns:
        return [layer for layer in joined if layer.is_convolution and layer.output.has_maps]
    chosen = select(layers, patterns)
    for layer in chosen:
        if not layer.has_maps:
            raise without_maps(layer, f"choose convolution layers in {key}")
    indices = {layer.index for layer in chosen}
    return [layer for layer in joined if indices & {member.index for member in layer.members}]


def study(
    model: keras.Model,
    layers: Sequence[Layer],
    chosen: Sequence[JoinedLayer],
    reference: Reference,
    *,
    limit: int,
    minutes: float,
) -> Study:
    """Study the channels of layers.

    Args:
        model: the flat model; its output is (batch, classes) or a single sigmoid unit.
        layers: all layers of the model.
        chosen: the layers to study; they have feature maps.
        reference: the images.
        limit: the maximum number of images.
        minutes: the duration on two cores, about. It is estimated before anything is computed, so that the
            result does not depend on the machine.

    Raises:
        ConvscopeError: a layer returns values that are not finite.
    """
    budget = minutes * PER_MINUTE
    forward = sum(map(work_of, layers))
    measured = forward + sum(work_of_measuring(layer.output) for layer in chosen)
    images = _spread(np.arange(reference.count), _affordable(_SHARE * budget, measured, limit))
    found = survey(model, [layer.output for layer in chosen], reference.batches(images))
    count = found.probabilities.shape[1]
    has_truth = reference.labels is not None
    groups = found.probabilities.argmax(axis=1) if reference.labels is None else reference.labels[images]
    classes = largest_groups(groups, count)

    differentiated = forward * (1 + 2 * len(classes))
    few = balanced(groups, _affordable(_SHARE * budget, differentiated, EVALUATED))
    evaluated = _Evaluated(np.concatenate(list(reference.batches(images[few]))), groups[few], classes)
    reached = ancestors(before_activation(model.outputs[0]))
    connected = [layer.output for layer in chosen if id(layer.output.output) in reached]
    pushes = _push(model, layers, connected, evaluated)
    budget -= len(images) * measured + len(few) * differentiated
    removals = [Removal(model, layers, layer) for layer in connected] if has_truth else []
    before, changes = _remove(removals, found.layers, pushes, evaluated, budget)
    links = strongest_links(joined_layers(layers), RELATIVES)
    studies = [
        LayerStudy(
            layer,
            found.layers[layer.output.path],
            pushes.get(layer.output.path),
            similar(found.layers[layer.output.path].means, RELATIVES),
            links.get(layer.output.index),
            *changes.get(layer.output.path, (np.zeros(0, int), None)),
        )
        for layer in chosen
    ]
    left_out = _left_out(studies, (len(images), reference.count), len(few), (len(classes), count), has_truth)
    return Study(studies, images, images[few], classes, groups, has_truth, before, left_out)


@dataclass(frozen=True)
class _Evaluated:
    """The images for push and removal: inputs, the class of each, and the classes to report."""

    inputs: np.ndarray
    groups: np.ndarray
    classes: np.ndarray


def _push(
    model: keras.Model, layers: Sequence[Layer], connected: Sequence[Layer], images: _Evaluated
) -> dict[str, np.ndarray]:
    """Return the push of the channels of the connected layers, by path."""
    logits = int(before_activation(model.outputs[0]).shape[-1])
    targets = np.stack([of_class(int(label), logits) for label in images.classes])
    batch = max(1, _VALUES // sum(map(values_of, layers)))
    return class_push(model, connected, images.inputs, targets, batch=batch)


def _affordable(budget: float, work: float, most: int) -> int:
    """Return the number of images that a budget is enough for, between the fewest and the most."""
    return min(most, max(_FEWEST, int(budget / work)))


def _spread(indices: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` of the indices, evenly spread."""
    return indices[np.unique(np.linspace(0, len(indices) - 1, most).round().astype(int))]


def balanced(groups: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` indices of images, as equally as possible from each group, in ascending order.

    Args:
        groups: the group of each image, int (n,).
        most: the maximum number of images.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    counts = evenly_limited([len(own) for own in members], most)
    chosen = [_spread(own, count) for own, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(chosen))


def largest_groups(groups: np.ndarray, classes: int) -> np.ndarray:
    """Return the classes with the most images, ten at most, in ascending order; of equal ones, the first."""
    counts = np.bincount(groups, minlength=classes)
    return np.sort(np.argsort(-counts, kind="stable")[:CLASSES])


def _by_push(push: np.ndarray) -> np.ndarray:
    return np.argsort(-np.abs(push).max(axis=1), kind="stable")


def _remove(
    removals: Sequence[Removal],
    values: dict[str, LayerSurvey],
    pushes: dict[str, np.ndarray],
    images: _Evaluated,
    budget: float,
) -> tuple[Accuracy | None, dict[str, tuple[np.ndarray, Accuracy]]]:
    """Remove the channels with the strongest push, as many as the budget is enough for.

    Dead channels are not removed: their mean is zero, and nothing changes.

    Returns:
        the accuracy before, None if no channel was removed; and for each layer the removed channels and the
        change of the accuracy.
    """
    alive = {}
    for removal in removals:
        order = _by_push(pushes[removal.path])
        alive[removal.path] = order[~values[removal.path].dead[order]]
    works = {removal.path: removal.work * len(images.inputs) for removal in removals}
    counts = divided(works, {path: len(channels) for path, channels in alive.items()}, max(0.0, budget))
    before, result = None, {}
    for removal in progress(removals, desc="removing channels", unit="layer"):
        channels = np.sort(alive[removal.path][: counts[removal.path]])
        if not len(channels):
            continue
        means = values[removal.path].mean
        given = images.inputs, images.groups, images.classes
        before, after = removal(*given, means=means, channels=channels)
        result[removal.path] = channels, after.minus(before)
    return before, result


def _left_out(
    studies: Sequence[LayerStudy],
    images: tuple[int, int],
    evaluated: int,
    classes: tuple[int, int],
    has_truth: bool,
) -> list[str]:
    """Return what a study did not compute, as sentences; a pair is a part and the whole."""
    sentences = []
    if images[0] < images[1]:
        sentences.append(f"Values and examples are of {images[0]:,} of {images[1]:,} images.")
    if evaluated < images[0]:
        sentences.append(f"Push and removal are of {evaluated} images.")
    if classes[0] < classes[1]:
        sentences.append(f"{classes[0]} of {classes[1]:,} classes have numbers of their own.")
    alive = sum(int((~layer.values.dead).sum()) for layer in studies)
    removed = sum(len(layer.removed) for layer in studies)
    if not has_truth:
        sentences.append("No channel was removed, because the true classes of the images are not known.")
    elif removed < alive:
        counts = f"{removed:,} of the {alive:,} channels that are not dead"
        sentences.append(f"{counts} were removed, those with the strongest push.")
    return sentences
