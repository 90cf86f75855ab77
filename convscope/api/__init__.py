"""The Python interface; docs/api.md has examples."""

from convscope.api.channels import ChannelStudy
from convscope.api.class_activation import CAM_METHODS, Explanation
from convscope.api.epochs import Evolution, evolution
from convscope.api.model import LayerExamples, OpenModel, open_model
from convscope.api.patterns import AscentResult, LayerPatterns
from convscope.api.picture import grid

__all__ = [
    "CAM_METHODS",
    "AscentResult",
    "ChannelStudy",
    "Evolution",
    "Explanation",
    "LayerExamples",
    "LayerPatterns",
    "OpenModel",
    "evolution",
    "grid",
    "open_model",
]
