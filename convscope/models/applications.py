"""The classifiers of `keras.applications`: their default input sizes and their preprocessing."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import keras

from convscope.models.application_names import check_application
from convscope.preprocessing import Preprocessing, by_name

_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2L": 480,
    "EfficientNetV2M": 480,
    "EfficientNetV2S": 384,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}
_DEFAULT_SIZE = 224
# By module. The applications with "none" scale the pixels in layers of their own.
_PREPROCESSING = {
    "convnext": "none",
    "densenet": "torch",
    "efficientnet": "none",
    "efficientnet_v2": "none",
    "inception_resnet_v2": "minus_one_to_one",
    "inception_v3": "minus_one_to_one",
    "mobilenet": "minus_one_to_one",
    "mobilenet_v2": "minus_one_to_one",
    "mobilenet_v3": "none",
    "nasnet": "minus_one_to_one",
    "resnet": "caffe",
    "resnet_v2": "minus_one_to_one",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "xception": "minus_one_to_one",
}


@dataclass(frozen=True)
class Application:
    """A classifier of `keras.applications`.

    `build` is the function of Keras that returns the model; `input_size` is the default height and width in
    pixels.
    """

    name: str
    build: Callable[..., keras.Model]
    input_size: int
    preprocessing: Preprocessing

    @property
    def preprocess_input(self) -> Callable:
        """The function of Keras that is equivalent to `preprocessing`; it overwrites its input."""
        return sys.modules[self.build.__module__].preprocess_input


def application(name: str) -> Application:
    """Return the application with a name.

    Raises:
        ConvscopeError: the name is unknown; the message lists similar names.
    """
    check_application(name)
    build = getattr(keras.applications, name)
    preprocessing = by_name(_PREPROCESSING[build.__module__.rpartition(".")[2]])
    return Application(name, build, _SIZES.get(name, _DEFAULT_SIZE), preprocessing)
