"""A sheet of `compare=`: how many channels are on it, and writing it with what it is from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convscope.app.visualize.compared import Comparison
from convscope.config.schema.visualize import VisualizeConfig
from convscope.graph import Layer
from convscope.render.artifact import View, write_view
from convscope.render.strip import Strip, strip_sheet

WIDEST = 1400  # pixels of a sheet on which blocks of channels lie side by side


def shown_of(layer: Layer, config: VisualizeConfig, limit: int = 0) -> int:
    """How many channels of a layer are drawn; a limit of 0 is none."""
    return min(each for each in (limit, config.comparison.channels, layer.channels) if each)


def write_strip(
    models: Comparison,
    directory: Path,
    path: str,
    strip: Strip,
    about: Mapping[str, Any],
    *,
    numbered: bool = True,
) -> View:
    """Write `compare/PATH`, with `about` and the models as its provenance."""
    return write_view(
        directory,
        f"compare/{path}",
        strip_sheet(strip, widest=WIDEST, numbered=numbered),
        title=strip.title,
        caption=strip.subtitle,
        provenance={"view": "compare", **about, **models.provenance},
    )
