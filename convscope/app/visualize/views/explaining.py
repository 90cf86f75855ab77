"""Class activation with the settings of `class_activation`, for all views that show or measure it."""

from collections.abc import Sequence

import keras

from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.errors import unknown
from convscope.graph import Layer
from convscope.vis.class_activation.head_kind import default_method
from convscope.vis.class_activation.methods import METHODS, ClassActivation
from convscope.vis.layer_selection import last_maps, select, without_maps


def chosen_methods(settings: ClassActivationConfig, model: keras.Model, layers: Sequence[Layer]) -> list[str]:
    """Return the names of the methods; raise ConvscopeError if one does not exist."""
    for name in settings.method:
        if name not in METHODS:
            raise unknown("class_activation.method", name, METHODS)
    return settings.method or [default_method(model, layers[-1])]


def layers_to_explain(layers: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """Return the layers to explain; raise ConvscopeError if one has no feature maps."""
    last = last_maps(layers)
    selected = select(layers, patterns) if patterns else [last]
    for layer in selected:
        if not layer.has_maps:
            raise without_maps(layer, f"set class_activation.layer to a convolution, for example {last.path}")
    return selected


def opened(
    settings: ClassActivationConfig,
    model: keras.Model,
    layers: Sequence[Layer],
    *,
    method: str,
    seed: int,
    compiled: bool = False,
) -> ClassActivation:
    """Return the class activation of a model by a method; see `ClassActivation`."""
    merge, flips = settings.merge.value, settings.flips
    return ClassActivation(model, layers, method, merge=merge, flips=flips, seed=seed, compiled=compiled)
