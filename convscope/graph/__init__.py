"""Any Keras model as one flat graph of layers, each with a path."""

from convscope.graph.activation import (
    activation_of,
    as_probabilities,
    before_activation,
    features_of,
    of_each_class,
    of_logits,
    probabilities_of,
)
from convscope.graph.copy import copied, fresh_weights
from convscope.graph.flatten import Graph, flatten
from convscope.graph.flops import flops_of
from convscope.graph.joined_layer import JoinedLayer, joined_layers
from convscope.graph.layer import Layer
from convscope.graph.resizing import at_size, resized

__all__ = [
    "Graph",
    "JoinedLayer",
    "Layer",
    "activation_of",
    "as_probabilities",
    "at_size",
    "before_activation",
    "copied",
    "features_of",
    "flatten",
    "flops_of",
    "fresh_weights",
    "joined_layers",
    "of_each_class",
    "of_logits",
    "probabilities_of",
    "resized",
]
