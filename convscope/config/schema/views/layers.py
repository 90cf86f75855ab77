"""The settings of the view `layers`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig


@dataclass
class LayersConfig(ViewConfig):
    """The table and the diagram of all layers."""

    name = "layers"
    title = "Layers"
    drawn_by = f"{VIEWS_PACKAGE}.layers:LayersView"
