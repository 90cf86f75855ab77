"""The channels of a layer of an open model: what they respond to and what they do, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError, unknown
from convscope.models.bundle import ModelBundle
from convscope.vis.channels.links import Link
from convscope.vis.channels.study import LayerStudy, Reference, Study, layers_to_study, study


@dataclass(frozen=True, repr=False)
class ChannelStudy:
    """The channels of one layer, after its normalization and activation, for n photographs.

    The peak of a channel is the maximum of its feature map. Numbers by class are in the order of `classes`:
    the ten classes with the most photographs, by their true class or, without labels, by the predicted one.

    Attributes:
        layer: the path of the layer.
        classes: the names of the classes.
        photographs: int64 (n,), the indices of the photographs.
        peaks: float32 (n, channels).
        means: float32 (n, channels), the mean over the positions.
        sparsity: float64 (channels,), the share of values that are zero.
        push: float64 (channels, classes), gradient × activation summed over the positions, the mean over
            photographs, in logits; None if the logits do not depend on the layer.
        removed: int64 (m,), the channels that were replaced by their mean, one at a time.
        accuracy: float64 (m, classes), the change of the accuracy for each of them; NaN without photographs.
        probability: float64 (m, classes), the change of the mean probability of the true class.
        similar: for each channel, the channels with the highest correlation of `means`, and the correlation.
        inputs: for each channel, the strongest links from other layers; `layer` is an index of
            `OpenModel.layers`.
        outputs: for each channel, the strongest links to other layers.
        left_out: what was not computed, as sentences.
    """

    layer: str
    classes: list[str]
    photographs: np.ndarray
    peaks: np.ndarray
    means: np.ndarray
    sparsity: np.ndarray
    push: np.ndarray | None
    removed: np.ndarray
    accuracy: np.ndarray
    probability: np.ndarray
    similar: list[list[tuple[int, float]]]
    inputs: list[list[Link]]
    outputs: list[list[Link]]
    left_out: list[str]

    def __repr__(self) -> str:
        """Return a summary in one line."""
        count, channels = self.peaks.shape
        return (
            f"<ChannelStudy of {self.layer}: {channels} channels, {int((self.sparsity == 1).sum())} dead, "
            f"{count} photographs, {len(self.removed)} channels removed>"
        )


def study_of(
    bundle: ModelBundle, layer: str, reference: Reference, *, limit: int, minutes: float
) -> ChannelStudy:
    """Return the study of the channels of a layer; see `study.study`.

    Raises:
        ConvscopeError: `layer` is not one layer with feature maps.
    """
    chosen = layers_to_study(bundle.layers, [layer], "layer")
    if len(chosen) != 1:
        raise ConvscopeError(f"layer={layer} matches {len(chosen)} layers: expected one")
    found = study(bundle.model, bundle.layers, chosen, reference, limit=limit, minutes=minutes)
    return _as_arrays(found, found.layers[0], bundle.contract.class_names)


def indices_of(labels: Sequence[str] | None, count: int, classes: Sequence[str]) -> np.ndarray | None:
    """Return the index of each label, int (n,), or None without labels.

    Raises:
        ConvscopeError: there is not one label for each photograph, or a class does not exist.
    """
    if labels is None:
        return None
    if len(labels) != count:
        raise ConvscopeError(f"{len(labels)} labels for {count} photographs: expected one for each")
    for label in labels:
        if label not in classes:
            raise unknown("class", label, classes)
    return np.array([classes.index(label) for label in labels], np.int64)


def _as_arrays(found: Study, layer: LayerStudy, names: Sequence[str]) -> ChannelStudy:
    none = np.zeros((0, len(found.classes)))
    nothing: list[list[Link]] = [[] for _ in layer.similar]
    return ChannelStudy(
        layer=layer.layer.path,
        classes=[names[label] for label in found.classes],
        photographs=found.images,
        peaks=layer.values.peaks,
        means=layer.values.means,
        sparsity=layer.values.zeros,
        push=layer.push,
        removed=layer.removed,
        accuracy=layer.change.of_class if layer.change else none,
        probability=layer.change.probability if layer.change else none,
        similar=layer.similar,
        inputs=layer.links.inputs if layer.links else nothing,
        outputs=layer.links.outputs if layer.links else nothing,
        left_out=found.left_out,
    )
