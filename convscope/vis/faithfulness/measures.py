"""The measures of one map of one picture, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convscope.vis.faithfulness import deletion, localisation
from convscope.vis.faithfulness.road import road
from convscope.vis.faithfulness.scores import Logits, probability


@dataclass(frozen=True)
class Subject:
    """A picture whose maps are measured, and the classifier.

    Attributes:
        logits: the classifier.
        activation: the name of its last activation; see `of_logits`.
        picture: preprocessed, float32 (height, width, channels).
        target: the target of the class that the maps explain, float32 (logits,).
        mask: the evidence for that class, bool (height, width), or None if it is not known.
        seed: seed of noise and of the order of equal values.
    """

    logits: Logits
    activation: str | None
    picture: np.ndarray
    target: np.ndarray
    mask: np.ndarray | None
    seed: int

    @cached_property
    def drops(self) -> np.ndarray:
        """See `deletion.cell_drops`; all methods share them."""
        return deletion.cell_drops(self.logits, self.picture, self.target)

    def probability(self, pictures: np.ndarray) -> np.ndarray:
        """Return the probability of the class, float64 (batch,), of other pictures of the same size."""
        return probability(self.logits(pictures), self.target, self.activation)

    @property
    def evidence(self) -> np.ndarray:
        """The mask of a picture that has one."""
        assert self.mask is not None
        return self.mask


@dataclass(frozen=True)
class Measure:
    """A measure of a map.

    Attributes:
        title: the name in tables and charts.
        score: a function of a subject and a map of its size, float (height, width).
        chance: the score of a map that knows nothing; None if it depends on the pictures.
        needs_mask: whether the mask of the evidence must be known.
        lower_is_better: whether a lower score is better.
    """

    title: str
    score: Callable[[Subject, np.ndarray], float]
    chance: float | None = None
    needs_mask: bool = False
    lower_is_better: bool = False


def _single_deletion(subject: Subject, heat: np.ndarray) -> float:
    return deletion.single_deletion(subject.drops, heat)


def _road(subject: Subject, heat: np.ndarray) -> float:
    return road(subject.probability, subject.picture, heat, subject.seed)


def _deletion(subject: Subject, heat: np.ndarray) -> float:
    return deletion.deletion(subject.probability, subject.picture, heat, subject.seed)


def _insertion(subject: Subject, heat: np.ndarray) -> float:
    return deletion.insertion(subject.probability, subject.picture, heat, subject.seed)


def _pointing(subject: Subject, heat: np.ndarray) -> float:
    return localisation.pointing(heat, subject.evidence)


def _relevance_mass(subject: Subject, heat: np.ndarray) -> float:
    return localisation.positive_share(heat, subject.evidence)


def _relevance_rank(subject: Subject, heat: np.ndarray) -> float:
    return localisation.relevance_rank(heat, subject.evidence, subject.seed)


MEASURES: dict[str, Measure] = {
    "single_deletion": Measure("Single deletion", _single_deletion, chance=0.0),
    "road": Measure("ROAD", _road, chance=0.0),
    "deletion": Measure("Deletion", _deletion, lower_is_better=True),
    "insertion": Measure("Insertion", _insertion),
    "pointing": Measure("Pointing", _pointing, needs_mask=True),
    "relevance_mass": Measure("Relevance mass", _relevance_mass, needs_mask=True),
    "relevance_rank": Measure("Relevance rank", _relevance_rank, needs_mask=True),
}
