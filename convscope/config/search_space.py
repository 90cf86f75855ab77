"""The space of a search: sweep expressions of Hydra's override grammar as distributions of Optuna."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep, Transformer
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from convscope.errors import ConvscopeError

_LOG = "log"


@dataclass(frozen=True)
class Parameter:
    """A setting that the search chooses.

    Attributes:
        key: its key on the command line.
        distribution: its values. Choices other than numbers, booleans and null are their texts.
        texts: how each choice is written on the command line; empty for numbers.
    """

    key: str
    distribution: BaseDistribution
    texts: Mapping[Any, str]

    def argument(self, value: Any) -> str:
        """Return KEY=VALUE for a value of the distribution."""
        return f"{self.key}={self.texts[value] if self.texts else value}"

    def text(self, value: Any) -> str:
        """Return a value as the name of the run and the table show it: numbers with six digits."""
        return f"{value:.6g}" if isinstance(value, float) else self.argument(value).partition("=")[2]

    def ends(self) -> list[str]:
        """Return KEY=VALUE for each choice, or for the lowest and the highest number."""
        if isinstance(self.distribution, CategoricalDistribution):
            return [self.argument(value) for value in self.distribution.choices]
        low, high = self.distribution.low, self.distribution.high  # type: ignore[attr-defined]
        if isinstance(self.distribution, FloatDistribution) and self.distribution.step is None:
            high = math.nextafter(high, low)  # Hydra: low <= value < high
        return [self.argument(low), self.argument(high)]

    def value_of(self, setting: Any) -> Any:
        """Return the value of the distribution that is equal to a setting.

        Raises:
            LookupError: the space does not contain the setting.
        """
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            for choice in distribution.choices:
                if _is_same(choice, setting) or self.texts[choice] == _text(setting):
                    return choice
        elif isinstance(setting, int | float) and not isinstance(setting, bool):
            low, high, step = distribution.low, distribution.high, distribution.step  # type: ignore[attr-defined]
            is_step = step is None or math.isclose((setting - low) / step, round((setting - low) / step))
            if low <= setting <= high and is_step:
                return setting
        raise LookupError(f"{self.key}={_text(setting)}")


def split(overrides: Sequence[Override]) -> tuple[list[str], dict[str, Parameter]]:
    """Return the fixed arguments, and the parameters of the search by their keys; the last of a key counts.

    Raises:
        ConvscopeError: an expression has no counterpart in Optuna, or no argument is a sweep expression.
    """
    last = {override.get_key_element(): override for override in overrides}
    fixed, space = [], {}
    for key, override in last.items():
        if override.is_sweep_override():
            space[key] = _parameter(key, override)
        elif override.is_delete():
            fixed.append(str(override.input_line))
        else:
            fixed.append(f"{key}={override.get_value_element_as_str()}")
    if not space:
        raise ConvscopeError(
            "the search has no parameters: expected at least one expression such as "
            "'training.learning_rate=tag(log,interval(1e-4,1e-2))' or model.dropout=0.1,0.3,0.5"
        )
    return fixed, space


def _parameter(key: str, override: Override) -> Parameter:
    sweep = override.value()
    given = f"{key}={override.get_value_string() if override.input_line else sweep}"
    tags: set[str] = getattr(sweep, "tags", set())
    if unknown := sorted(tags - {_LOG}):
        raise ConvscopeError(f"{given} has the tag {unknown[0]}: expected tag(log, …), or no tag")
    if override.is_choice_sweep():
        if tags:
            raise ConvscopeError(f"{given} has a scale, but choices have no order: remove tag(log, …)")
        choices = {_choice(item): str(Transformer.str(item)) for item in override.sweep_iterator()}
        return Parameter(key, CategoricalDistribution(list(choices)), choices)
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
    else:
        assert isinstance(sweep, RangeSweep)
        low, high = _ends_of_range(sweep, given)
    assert low is not None
    assert high is not None
    if not low < high or (tags and low <= 0):
        raise ConvscopeError(
            f"{given} is not an interval: expected {'0 < ' if tags else ''}low < high, for example "
            "interval(0.1,0.5)"
        )
    return Parameter(key, _number(low, high, sweep, is_log=bool(tags)), {})


def _number(low: float, high: float, sweep: Any, *, is_log: bool) -> BaseDistribution:
    step = sweep.step if isinstance(sweep, RangeSweep) else None
    if is_log and step not in (None, 1):
        raise ConvscopeError(
            f"a range with step {step:g} cannot have tag(log, …): use interval(low,high), or remove the tag"
        )
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=is_log, step=int(step or 1))
    return FloatDistribution(low, high, log=is_log, step=None if is_log else step)


def _ends_of_range(sweep: RangeSweep, given: str) -> tuple[float, float]:
    """Return the first and the last value; as in a grid, the end of a range is not one of its values."""
    values = list(sweep.range())
    if len(values) < 2 or sweep.step <= 0:
        raise ConvscopeError(f"{given}: expected range(first,end,step) with at least two ascending values")
    return values[0], values[-1]


def _choice(item: Any) -> Any:
    """Return a choice as Optuna stores it: a number, a boolean, null or a text."""
    if isinstance(item, QuotedString):
        return item.text
    return item if item is None or isinstance(item, bool | int | float | str) else str(Transformer.str(item))


def _text(setting: Any) -> str:
    """Return a setting as an argument of the command line has it."""
    return str(Transformer.str(setting))


def _is_same(choice: Any, setting: Any) -> bool:
    """Return whether two values are equal; 1 is not true."""
    return isinstance(choice, bool) is isinstance(setting, bool) and choice == setting
