"""The sweepers of convscope. Hydra finds them in this namespace package and imports them at every start."""

from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore


@dataclass
class GridSweeperConf(BasicSweeperConf):
    """The settings of Hydra's own sweeper."""

    _target_: str = "hydra_plugins.convscope_sweepers.GridSweeper"


class GridSweeper(BasicSweeper):
    """Train once for each combination of values; see `convscope.config.grid`."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep."""
        from convscope.config import grid

        return grid.run(self, arguments)


ConfigStore.instance().store(
    group="hydra/sweeper", name="convscope_grid", node=GridSweeperConf, provider="convscope"
)
