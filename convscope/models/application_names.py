"""The names of the classifiers of `keras.applications`, without Keras, whose import takes seconds."""

from convscope.errors import unknown

NAMES = (
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "VGG19",
    "Xception",
)


def check_application(name: str) -> None:
    """Raise ConvscopeError for an unknown name; the message lists similar names."""
    if name not in NAMES:
        raise unknown("application of Keras", name, NAMES)


def similar_application(name: str) -> str | None:
    """Return the application with a name that differs only in case and separators, or None."""
    folded = {_folded(known): known for known in NAMES}
    return folded.get(_folded(name))


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
