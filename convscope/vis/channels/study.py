"""The study of channels: all numbers about the channels of layers, in a limited amount of work."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from convscope.graph import JoinedLayer, Layer, before_activation, joined_layers
from convscope.graph.recording import ancestors
from convscope.vis.channels.links import Links, strongest_links
from convscope.vis.channels.push import class_push
from convscope.vis.channels.removal import Accuracy, Removal, accuracy, remove
from convscope.vis.channels.survey import LayerSurvey, Survey, similar, survey
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
_FEWEST, _FEWEST_PUSHED = 32, 16  # images, even if they need more than their share of the work
_VALUES = 2**26  # of all layers in one batch for the push; their gradients need as much memory again
_SHARE = 0.25  # of the work, for each of: survey, push, forward passes of the removal
_PASSES = 2  # through the network for the removal, at most


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
        pushed: the indices of the images for push, int (m,).
        removed: the indices of the images that channels were removed for, int (k,); empty without removal.
        classes: the classes with numbers of their own, ten at most: those of the most images.
        groups: the class of each of `images`, int (n,).
        has_truth: whether `groups` are true classes; otherwise, they are predicted ones.
        before: the accuracy without removal, None if no channel was removed.
        left_out: what was not computed, as sentences.
    """

    layers: list[LayerStudy]
    images: np.ndarray
    pushed: np.ndarray
    removed: np.ndarray
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
    network = _Network(model, layers, [layer.output for layer in chosen])
    budget = minutes * PER_MINUTE
    measured = network.forward + sum(map(work_of_measuring, network.chosen))
    indices = _spread(np.arange(reference.count), _affordable(budget, measured, limit, _FEWEST))
    found = survey(model, network.chosen, reference.batches(indices))
    groups = found.probabilities.argmax(axis=1) if reference.labels is None else reference.labels[indices]
    images = _Images(reference, indices, groups, largest_groups(groups, found.probabilities.shape[1]))

    differentiated = network.forward * (1 + 2 * len(images.classes))
    pushed = images.balanced(_affordable(budget, differentiated, EVALUATED, _FEWEST_PUSHED))
    pushes = _push(network, pushed)
    removed = images.balanced(_affordable(budget, _PASSES * network.forward, EVALUATED, _FEWEST))
    before: Accuracy | None = None
    changes: dict[str, tuple[np.ndarray, Accuracy]] = {}
    if reference.labels is not None:
        used = len(indices) * measured + len(pushed.indices) * differentiated
        used += len(removed.indices) * _PASSES * network.forward
        before, changes = _remove(network, removed, found, pushes, max(budget - used, _SHARE * budget))
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
    return Study(
        layers=studies,
        images=indices,
        pushed=pushed.indices,
        removed=removed.indices if before else indices[:0],
        classes=images.classes,
        groups=groups,
        has_truth=reference.labels is not None,
        before=before,
        left_out=_left_out(studies, images, pushed, removed, found.probabilities.shape[1]),
    )


@dataclass(frozen=True)
class _Network:
    """A flat model, all its layers, and the layers to study."""

    model: keras.Model
    layers: Sequence[Layer]
    chosen: Sequence[Layer]

    @property
    def forward(self) -> float:
        """The work for one image."""
        return sum(map(work_of, self.layers))

    @property
    def connected(self) -> list[Layer]:
        """The layers to study that the logits depend on."""
        reached = ancestors(before_activation(self.model.outputs[0]))
        return [layer for layer in self.chosen if id(layer.output) in reached]


@dataclass(frozen=True)
class _Images:
    """Some of the reference images: their indices and their classes, and the classes to report."""

    reference: Reference
    indices: np.ndarray
    groups: np.ndarray
    classes: np.ndarray

    def balanced(self, most: int) -> "_Images":
        """Return at most `most` of the images, as equally as possible from each class."""
        chosen = balanced(self.groups, most)
        return replace(self, indices=self.indices[chosen], groups=self.groups[chosen])

    @property
    def inputs(self) -> np.ndarray:
        """The preprocessed images, float32 (n, height, width, channels)."""
        return np.concatenate(list(self.reference.batches(self.indices)))


def _affordable(budget: float, work: float, most: int, fewest: int) -> int:
    """Return the number of images that a share of the budget is enough for."""
    return min(most, max(fewest, int(_SHARE * budget / work)))


def _spread(indices: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` of the indices, evenly spread."""
    return indices[np.unique(np.linspace(0, len(indices) - 1, most).round().astype(int))]


def balanced(groups: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` indices of images, as equally as possible from each group, in ascending order.

    If there are more groups than that, the images are evenly spread.

    Args:
        groups: the group of each image, int (n,).
        most: the maximum number of images.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    if len(members) > most:
        return _spread(np.arange(len(groups)), most)
    counts = evenly_limited([len(own) for own in members], most)
    chosen = [_spread(own, count) for own, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(chosen))


def largest_groups(groups: np.ndarray, classes: int) -> np.ndarray:
    """Return the classes with the most images, ten at most, in ascending order; of equal ones, the first."""
    counts = np.bincount(groups, minlength=classes)
    return np.sort(np.argsort(-counts, kind="stable")[:CLASSES])


def _by_push(push: np.ndarray) -> np.ndarray:
    return np.argsort(-np.abs(push).max(axis=1), kind="stable")


def _push(network: _Network, images: _Images) -> dict[str, np.ndarray]:
    """Return the push of the channels of the connected layers, by path."""
    logits = int(before_activation(network.model.outputs[0]).shape[-1])
    targets = np.stack([of_class(int(label), logits) for label in images.classes])
    batch = max(1, _VALUES // sum(map(values_of, network.layers)))
    return class_push(network.model, network.connected, images.inputs, targets, batch=batch)


def _remove(
    network: _Network, images: _Images, found: Survey, pushes: dict[str, np.ndarray], budget: float
) -> tuple[Accuracy | None, dict[str, tuple[np.ndarray, Accuracy]]]:
    """Remove the channels with the strongest push, as many as the budget is enough for.

    Channels that are always zero are not removed: their mean is zero, and nothing changes.

    Returns:
        the accuracy before, None if no channel was removed; and by path the removed channels, int (m,), and
        the change of the accuracy for each of them.
    """
    removals = [Removal(network.model, network.layers, layer) for layer in network.connected]
    alive = {}
    for removal in removals:
        order = _by_push(pushes[removal.path])
        alive[removal.path] = order[~found.layers[removal.path].always_zero[order]]
    works = {removal.path: removal.work * len(images.indices) for removal in removals}
    counts = divided(works, {path: len(channels) for path, channels in alive.items()}, budget)
    channels = {path: np.sort(order[: counts[path]]) for path, order in alive.items()}
    if not any(counts.values()):
        return None, {}
    means = {path: values.mean for path, values in found.layers.items()}
    outcomes = remove(network.model, removals, images.inputs, images.groups, means=means, channels=channels)
    before, result = None, {}
    for path, of_layer in outcomes.items():
        scores = accuracy(of_layer, images.groups, images.classes)
        before = scores.at(0)
        result[path] = channels[path], scores.at(slice(1, None)).minus(before)
    return before, result


def _left_out(
    studies: Sequence[LayerStudy], images: _Images, pushed: _Images, removed: _Images, classes: int
) -> list[str]:
    """Return what a study of a model with a number of classes did not compute, as sentences."""
    sentences = []
    count, total = len(images.indices), images.reference.count
    if count < total:
        sentences.append(f"Values and examples are measured on {count:,} of {total:,} images.")
    if len(pushed.indices) < count:
        sentences.append(f"Push is measured on {len(pushed.indices):,} of {count:,} images.")
    if len(images.classes) < classes:
        sentences.append(f"{len(images.classes)} of {classes:,} classes have numbers of their own.")
    alive = sum(int((~layer.values.always_zero).sum()) for layer in studies)
    computed = sum(len(layer.removed) for layer in studies)
    if images.reference.labels is None:
        sentences.append("No channel was removed, because the true classes of the images are not known.")
        return sentences
    if computed and len(removed.indices) < count:
        sentences.append(f"Removal is measured on {len(removed.indices):,} of {count:,} images.")
    if computed < alive:
        counts = f"{computed:,} of the {alive:,} channels that are not always zero"
        sentences.append(f"{counts} were removed, those with the strongest push.")
    return sentences
