"""The schema of what the pictures of stage 3 are called."""

import re
from dataclasses import dataclass

from convscope.errors import ConvscopeError
from convscope.options import option

OF_GRID = ("photograph", "layer", "index", "place", "number")
FIELDS = {
    "grid": OF_GRID,
    "channel": (*OF_GRID, "channel"),
    "filters": ("layer", "index"),
    "overlay": ("photograph", "class"),
    "heatmap": ("photograph", "class"),
}


@dataclass
class FilesConfig:
    """What pictures are called, below the run directory; `.jpg` instead of `.png` makes them JPEGs."""

    grid: str = option(
        "activations/{photograph}/{index}_{layer}.png",
        "a layer's channels; also {place} and {number}, among the layers that are drawn, from 0 and from 01",
    )
    channel: str = option(
        "activations/{photograph}/channels/{index}--{channel}.png", "one channel; fields as in grid"
    )
    filters: str = option("filters/{layer}.png", "a layer's patterns; also {index}")
    overlay: str = option("class_activation/{photograph}/{class}_overlay.png", "heatmap over photograph")
    heatmap: str = option("class_activation/{photograph}/{class}_heatmap.png", "heatmap alone")

    def __post_init__(self) -> None:
        """Check that the names stay in the run directory and name nothing unknown."""
        for kind, known in FIELDS.items():
            pattern = getattr(self, kind)
            key = f"files.{kind}={pattern}"
            for name in re.findall(r"\{(.*?)\}", pattern):
                if name not in known:
                    raise ConvscopeError(f"{key}: {{{name}}} is unknown, expected of " + ", ".join(known))
            if not pattern.endswith((".png", ".jpg")):
                raise ConvscopeError(f"{key}: expected a name that ends in .png or .jpg")
            parts = pattern.split("/")
            if set(parts) & {"", ".", ".."} or re.search(r'[\x00-\x1f<>:"|?*\\]', pattern):
                raise ConvscopeError(f"{key}: expected a path below the run directory, such as x.png")
