"""The classifiers of `keras.applications`: their default sizes and what they expect of pixels."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import keras

from convscope.errors import unknown
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
_USUAL_SIZE = 224
# By the module that an application is in; those with "none" hold layers that scale the pixels.
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
    """One of `keras.applications`: its name, what builds it, its input size, its own preprocessing."""

    name: str
    build: Callable[..., keras.Model]
    input_size: int
    preprocessing: Preprocessing

    @property
    def preprocess_input(self) -> Callable:
        """Keras' function that `preprocessing` stands for."""
        return sys.modules[self.build.__module__].preprocess_input


def names() -> list[str]:
    """Every classifier of the installed Keras."""
    found = vars(keras.applications)
    return sorted(name for name in found if name[0].isupper() and callable(found[name]))


def application(name: str) -> Application:
    """The application of that name; raises ConvscopeError, with near matches, if there is none."""
    if name not in names():
        raise unknown("application of Keras", name, names())
    build = getattr(keras.applications, name)
    preprocessing = by_name(_PREPROCESSING[build.__module__.rpartition(".")[2]])
    return Application(name, build, _SIZES.get(name, _USUAL_SIZE), preprocessing)
