"""The Python interface; docs/api.md has examples."""

from convscope.api.model import Evolution, LayerExamples, OpenModel, evolution, open_model
from convscope.api.picture import grid

__all__ = ["Evolution", "LayerExamples", "OpenModel", "evolution", "grid", "open_model"]
