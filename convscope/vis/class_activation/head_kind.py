"""How the head of a classifier uses the maps of a layer; some methods are equal for some heads."""

import keras

from convscope.graph import Layer
from convscope.graph.keras_private import call_of

_IDENTITY = (keras.layers.Dropout, keras.layers.SpatialDropout2D, keras.layers.Identity)  # at inference


def is_averaged(model: keras.Model, layer: Layer) -> bool:
    """Return whether the model uses the maps of a layer only through global average pooling.

    The gradient of a score is then the same at all positions of a channel, so that Grad-CAM and HiRes-CAM
    give the same heat.
    """
    same_values = {id(layer.output)}  # of the maps, also after dropout
    pooled = False
    for call in _calls_after(model, layer):
        if not any(id(tensor) in same_values for tensor in call.inputs):
            continue
        if isinstance(call.operation, _IDENTITY):
            same_values.add(id(call.outputs[0]))
        elif isinstance(call.operation, keras.layers.GlobalAveragePooling2D):
            pooled = True
        else:
            return False
    return pooled


def default_method(model: keras.Model, layer: Layer) -> str:
    """Return "grad_cam" before global average pooling, else "hires_cam".

    Elsewhere, for example before Flatten, one weight for a whole channel describes the head badly.
    """
    return "grad_cam" if is_averaged(model, layer) else "hires_cam"


def _calls_after(model: keras.Model, layer: Layer) -> list:
    """Return the calls between the maps and the output of the model, in an order of their dependence."""
    calls, done = [], {id(layer.output)}
    waiting = [model.outputs[0]]
    while waiting:
        tensor = waiting[-1]
        call = call_of(tensor)
        missing = [source for source in call.inputs if id(source) not in done]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if id(tensor) not in done:
            done.add(id(tensor))
            calls.append(call)
    return calls
