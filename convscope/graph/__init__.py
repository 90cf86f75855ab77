"""Any Keras model as one flat graph of layers, each with a path."""

from convscope.graph.activation import (
    activation_of,
    as_probabilities,
    before_activation,
    features_of,
    of_each_class,
    probabilities_of,
)
from convscope.graph.copy import copied, fresh_weights
from convscope.graph.flatten import Graph, flatten
from convscope.graph.layer import Layer
from convscope.graph.resizing import at_size, resized

__all__ = [
    "Graph",
    "Layer",
    "activation_of",
    "as_probabilities",
    "at_size",
    "before_activation",
    "copied",
    "features_of",
    "flatten",
    "fresh_weights",
    "of_each_class",
    "probabilities_of",
    "resized",
]
