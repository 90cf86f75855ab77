"""The activations view: feature maps of chosen layers, as grids of one model or strips of several."""

from convscope.app.visualize.views.activations.drawing import ActivationsView

__all__ = ["ActivationsView"]
