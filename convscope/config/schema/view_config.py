"""What the settings of all views share. A view of stage 3 draws one kind of picture."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar

from convscope.errors import ConvscopeError

VIEWS_PACKAGE = "convscope.app.visualize.views"


class Normalize(StrEnum):
    """The values at the ends of the colour scale of feature maps."""

    channel = "channel"
    layer = "layer"
    dataset = "dataset"
    range = "range"


class Animation(StrEnum):
    """The file format of an animation."""

    gif = "gif"
    mp4 = "mp4"


@dataclass
class ViewConfig:
    """Base class of the settings of a view. A subclass declares the view and lists its options.

    An option with the metadata `single=True` applies to one model only. An option with `placeholders=(…)` is
    a pattern of a file name below the run directory, for example `filters/{layer}.png`; `suffixes=(…)` are
    the endings that it may have, `.png` and `.jpg` by default.

    Attributes:
        name: the name in `views=[…]`, of the group of options and of the folder in the run directory.
        title: the heading on the page.
        drawn_by: `module:Class` of the `View` that draws it; imported only when the view is drawn.
        intro: a few sentences below the heading, or empty.
        max_models: the maximum number of models that it draws side by side; None means any number.
        min_models: with fewer models, the view is omitted. A view with `min_models > 1` is always drawn
            when there are enough models.
        by_photograph: whether it draws each photograph independently of the others, so that each shard draws
            its own; the first shard draws the other views.
        needs_all_photographs: whether it chooses what to draw from all photographs, which no shard has.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    drawn_by: ClassVar[str]
    intro: ClassVar[str] = ""
    max_models: ClassVar[int | None] = None
    min_models: ClassVar[int] = 1
    by_photograph: ClassVar[bool] = False
    needs_all_photographs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the patterns of file names."""
        for option in fields(self):
            if "placeholders" in option.metadata:
                check_pattern(
                    f"{self.name}.{option.name}",
                    getattr(self, option.name),
                    option.metadata["placeholders"],
                    option.metadata.get("suffixes", (".png", ".jpg")),
                )

    @property
    def patterns(self) -> list[str]:
        """The patterns of the files that the view can write."""
        set_patterns = [
            getattr(self, option.name) for option in fields(self) if "placeholders" in option.metadata
        ]
        return [f"{self.name}/*", *set_patterns]

    def not_for_several(self) -> Iterator[tuple[str, Any]]:
        """Yield key and value of each changed option that applies to one model only."""
        default = type(self)()
        for option in fields(self):
            value = getattr(self, option.name)
            if (option.metadata.get("single") or self.max_models == 1) and value != getattr(
                default, option.name
            ):
                yield f"{self.name}.{option.name}", value


def check_pattern(
    key: str, pattern: str, placeholders: tuple[str, ...], suffixes: tuple[str, ...] = (".png", ".jpg")
) -> None:
    """Raise ConvscopeError unless a pattern is a path below the run directory with known placeholders."""
    given = f"{key}={pattern}"
    for placeholder in re.findall(r"\{(.*?)\}", pattern):
        if placeholder not in placeholders:
            raise ConvscopeError(
                f"{given}: unknown placeholder {{{placeholder}}}; expected {_in_braces(placeholders)}"
            )
    if not pattern.endswith(suffixes):
        raise ConvscopeError(f"{given}: expected a name that ends in {' or '.join(suffixes)}")
    if set(pattern.split("/")) & {"", ".", ".."} or re.search(r'[\x00-\x1f<>:"|?*\\]', pattern):
        raise ConvscopeError(f"{given}: expected a path below the run directory, for example maps/x.png")


def _in_braces(placeholders: tuple[str, ...]) -> str:
    return ", ".join(f"{{{placeholder}}}" for placeholder in placeholders)
