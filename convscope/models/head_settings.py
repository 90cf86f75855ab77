"""Settings of the networks that convscope builds."""

from dataclasses import dataclass
from enum import StrEnum

from convscope.options import check_range, option

MAX_UNITS = 100_000  # of one layer


class Output(StrEnum):
    """Activations of the output layer."""

    softmax = "softmax"
    sigmoid = "sigmoid"


class Pooling(StrEnum):
    """Ways to reduce feature maps to a vector."""

    avg = "avg"
    max = "max"
    flatten = "flatten"


@dataclass(kw_only=True)
class OutputSettings:
    """Settings of the last layers, which all networks have."""

    dropout: float = option(
        0.1, "fraction of a dense layer's inputs that dropout sets to 0 in training", heading="Model"
    )
    output: Output = option(Output.softmax, "softmax, or sigmoid: a single unit, for two classes")

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("model.dropout", self.dropout, 0, 1, below=True)


@dataclass
class Head(OutputSettings):
    """The classification head: pooling, a dense layer, dropout, and the output layer.

    With `output=sigmoid`, the single unit is the probability of the second of two classes.
    """

    pooling: Pooling = option(Pooling.avg, "how the head reduces the feature maps: avg, max or flatten")
    units: int = option(256, "units of the dense layer before the output layer; 0: no such layer")
    activation: str = option("relu", "activation of that dense layer: a name that Keras knows")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("model.units", self.units, 0, MAX_UNITS)
