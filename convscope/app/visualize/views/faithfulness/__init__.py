"""The faithfulness view: how well maps of class activation show what the network uses, in numbers."""

from convscope.app.visualize.views.faithfulness.drawing import FaithfulnessView

__all__ = ["FaithfulnessView"]
