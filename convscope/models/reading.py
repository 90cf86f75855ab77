"""The options that describe a model without `model.json`: preprocessing, classes, input and output."""

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError, unknown
from convscope.files import user_path
from convscope.options import check_range, option
from convscope.preprocessing import Preprocessing, resolve_preprocessing

IMAGENET = "imagenet"  # as class_names: the 1,000 classes of ImageNet
_IMAGENET_CLASSES = Path(__file__).with_name("imagenet_classes.json")
CLASS_NAMES = (
    "class_names=[FIRST,SECOND,…] in the order of the outputs, @FILE with one name per line, or imagenet"
)


class Outputs(StrEnum):
    """Meaning of the numbers that a model returns."""

    probabilities = "probabilities"
    logits = "logits"


@dataclass
class Reading:
    """Description of a model without `model.json`, and the choice among several inputs or outputs.

    `preprocessing` is a name; from Python, it can also be a `Preprocessing`.
    """

    preprocessing: Any = option(
        None,
        "unit_range, minus_one_to_one, caffe, torch, none, or affine with scale and offset",
        heading="A model that stage 2 did not write",
    )
    scale: list[float] = option(
        [], "with preprocessing=affine: pixels * scale + offset, one number or one per channel"
    )
    offset: list[float] = option([], "with preprocessing=affine: see scale")
    class_names: list[str] = option(
        [],
        "class names in the order of the model's outputs, @FILE with one name per line, or imagenet for its "
        "1,000 classes",
        heading="A model that stage 2 did not write",
    )
    input_size: int | None = option(None, "height and width in pixels, if the model accepts any size")
    input: str | None = option(None, "name of the input for the picture, if the model has several inputs")
    output: str | None = option(None, "name of the output for the classes, if the model has several outputs")
    outputs: Outputs | None = option(
        None, "probabilities or logits, if the last layer has an unknown activation"
    )
    allow_code: bool = option(False, "run the Lambda layers of a file, which are code of its author")

    def __post_init__(self) -> None:
        """Check that the options are known and belong together."""
        if self.preprocessing is None and (self.scale or self.offset):
            raise ConvscopeError(
                f"scale={list(self.scale)} and offset={list(self.offset)} without preprocessing: set "
                "preprocessing=affine, or remove them"
            )
        self.resolve_preprocessing()
        if self.input_size is not None:
            check_range("input_size", self.input_size, 1)
        if self.outputs is not None and self.outputs not in list(Outputs):
            raise unknown("outputs", str(self.outputs), list(Outputs))

    def resolve_preprocessing(self) -> Preprocessing | None:
        """Return the preprocessing that the options describe, None without such an option.

        Raises:
            ConvscopeError: the name is unknown, or the numbers do not fit it.
        """
        if self.preprocessing is None or isinstance(self.preprocessing, Preprocessing):
            return self.preprocessing
        return resolve_preprocessing(str(self.preprocessing), self.scale, self.offset)

    def check_preprocessing(self, path: str | Path) -> None:
        """Raise ConvscopeError if a model without `model.json` has no option `preprocessing`."""
        if self.preprocessing is None:
            names = "" if self.class_names else f", and {CLASS_NAMES}"
            raise ConvscopeError(
                f"unknown preprocessing for {path}: set preprocessing=unit_range, minus_one_to_one, caffe, "
                f"torch, none, or affine with scale and offset{names}"
            )

    def read_class_names(self) -> list[str]:
        """Return the names of the classes, read from the text file if the option is `@FILE`.

        Raises:
            ConvscopeError: the file is missing or not in UTF-8.
        """
        names = list(self.class_names)
        if names == [IMAGENET]:
            return _imagenet_classes()
        if len(names) != 1 or not names[0].startswith("@"):
            return names
        path = user_path(names[0][1:])
        if not path.is_file():
            raise ConvscopeError(f"no class names at {path}: expected a text file with one name per line")
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise ConvscopeError(
                f"{path} is not in UTF-8: expected a text file with one name per line"
            ) from None
        return [line.strip() for line in lines if line.strip()]

    def described(self) -> list[str]:
        """Return the names of the options that are set, except `allow_code`."""
        defaults = Reading()
        names = [field.name for field in fields(Reading) if field.name != "allow_code"]
        return [name for name in names if getattr(self, name) != getattr(defaults, name)]


def _imagenet_classes() -> list[str]:
    """Return the names of the classes; duplicate names get their index, for example "crane (134)"."""
    names = json.loads(_IMAGENET_CLASSES.read_text("utf-8"))
    return [f"{name} ({index})" if names.count(name) > 1 else name for index, name in enumerate(names)]
