"""Layers that compute each channel from the same channel of their input alone."""

from typing import Any

import keras

_LAYERS = (
    keras.layers.AveragePooling2D,
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.ELU,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Identity,
    keras.layers.LeakyReLU,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
    keras.layers.SpatialDropout2D,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
)
_MIXING = ("softmax", "log_softmax", "sparsemax", "glu")  # activations


def keeps_channels_apart(layer: Any) -> bool:
    """Return whether a layer is an activation, a pooling or the like, which does not mix channels."""
    if isinstance(layer, keras.layers.Activation):
        activation = layer.activation
        from_keras = str(getattr(activation, "__module__", "")).startswith("keras.")
        return from_keras and getattr(activation, "__name__", "") not in _MIXING
    return isinstance(layer, _LAYERS)
