"""Targets: the weight of each logit in the score that class activation explains.

A network with a single sigmoid unit has one logit: its sign decides between two classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError, unknown

NEAREST = 3  # classes that FinerCAM compares with
ROLES = ("predicted", "true")


@dataclass(frozen=True)
class Target:
    """A score to explain: the logit of a class, or the difference of the logits of two.

    Attributes:
        role: how it was chosen: "predicted", "true", "chosen" or "difference".
        name: the class.
        other: the class whose logit is subtracted, or None.
    """

    role: str
    name: str
    other: str | None = None

    @property
    def title(self) -> str:
        """The name of the class, or of both."""
        return self.name if self.other is None else f"{self.name} − {self.other}"

    def weights(self, classes: Sequence[str], logits: int) -> np.ndarray:
        """Return the weight of each logit of a model with these classes, float32 (logits,)."""
        weights = of_class(classes.index(self.name), logits)
        return weights if self.other is None else weights - of_class(classes.index(self.other), logits)


def resolve(choices: Sequence[str], probabilities: Mapping[str, float], truth: str | None) -> list[Target]:
    """Return the targets of a photograph, without repetitions.

    Args:
        choices: each choice is `predicted`, `true` (nothing for a photograph without a true class), the name
            or the index of a class, `top:3` (the three most probable classes), `all`, or a difference of two
            of them such as `daisy-dandelion` or `predicted-true`.
        probabilities: the probability of each class, in the order of the model.
        truth: the true class, or None if it is unknown.

    Raises:
        ConvscopeError: a class does not exist.
    """
    targets: dict[tuple[str, str | None], Target] = {}
    for given in choices:
        # In YAML and on the command line, true is a Boolean, which the schema turns into "True".
        choice = "true" if given == "True" and given not in probabilities else given
        for target in _resolve(choice, probabilities, truth):
            targets.setdefault((target.name, target.other), target)
    return list(targets.values())


def _resolve(choice: str, probabilities: Mapping[str, float], truth: str | None) -> Iterator[Target]:
    ordered = sorted(probabilities, key=lambda name: -probabilities[name])
    kind, _, count = choice.partition(":")
    if choice not in probabilities and kind == "top" and count.isdecimal() and int(count):
        yield from (Target("chosen", name) for name in ordered[: int(count)])
    elif choice not in probabilities and choice == "all":
        yield from (Target("chosen", name) for name in probabilities)
    elif choice in ROLES or _is_class(choice, probabilities):
        name = _class(choice, probabilities, truth)
        if name is not None:
            yield Target(choice if choice in ROLES else "chosen", name)
    else:
        one, other = _difference(choice, probabilities)
        names = _class(one, probabilities, truth), _class(other, probabilities, truth)
        if names[0] is not None and names[1] is not None and names[0] != names[1]:
            yield Target("difference", names[0], names[1])


def _is_class(choice: str, probabilities: Mapping[str, float]) -> bool:
    is_index = choice.isdecimal() and int(choice) < len(probabilities)
    return choice in probabilities or choice in ROLES or is_index


def _class(choice: str, probabilities: Mapping[str, float], truth: str | None) -> str | None:
    """Return the class of a choice; a class of that name comes before an index and a role."""
    if choice in probabilities:
        return choice
    if choice == "predicted":
        return max(probabilities, key=lambda name: probabilities[name])
    if choice == "true":
        return truth if truth in probabilities else None
    return list(probabilities)[int(choice)]


def _difference(choice: str, probabilities: Mapping[str, float]) -> tuple[str, str]:
    """Split a choice at a hyphen between two classes; names may contain hyphens."""
    for position in (index for index, character in enumerate(choice) if character == "-"):
        one, other = choice[:position], choice[position + 1 :]
        if _is_class(one, probabilities) and _is_class(other, probabilities):
            if one == other:
                raise ConvscopeError(f"class_activation.classes={choice}: expected two different classes")
            return one, other
    raise unknown("class", choice, probabilities)


def of_class(index: int, logits: int) -> np.ndarray:
    """Return the target of one class, float32 (logits,); of two classes with one logit, 0 gets minus."""
    if logits == 1:
        return np.array([1 if index == 1 else -1], np.float32)
    weights = np.zeros(logits, np.float32)
    weights[index] = 1
    return weights


def against_nearest(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return the target minus the weighted mean of the classes with the nearest logits.

    The weights are the probabilities of these classes, constants here. With one logit, or for a difference of
    two classes, the target is returned as it is.

    Z. Zhang et al., Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation (2025),
    with alpha = 1.

    Args:
        target: the target of one class, float32 (logits,).
        logits: the logits of the photograph, float32 (logits,).
    """
    if len(logits) == 1 or (target < 0).any():
        return target
    index = int(np.argmax(target))
    distance = np.abs(logits - logits[index])
    distance[index] = np.inf
    nearest = np.argsort(distance, kind="stable")[: min(NEAREST, len(logits) - 1)]
    shares = np.exp(logits[nearest] - logits[nearest].max())
    result = target.copy()
    result[nearest] -= (shares / shares.sum()).astype(np.float32)
    return result
