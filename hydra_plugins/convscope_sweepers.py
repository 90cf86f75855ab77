"""The sweepers and the search path of convscope. Hydra imports this namespace package at every start."""

from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin


@dataclass
class JobSweeperConf(BasicSweeperConf):
    """The settings of Hydra's own sweeper."""

    _target_: str = "hydra_plugins.convscope_sweepers.JobSweeper"


class JobSweeper(BasicSweeper):
    """Run jobs that are not recorded; a launcher may run them in other processes."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs; raise ConvscopeError if one has failed in another process."""
        from convscope.errors import ConvscopeError

        jobs = [job for batch in super().sweep(arguments) for job in batch]
        failed = [job.return_value for job in jobs if isinstance(job.return_value, str)]
        if failed:
            raise ConvscopeError(f"{len(failed)} of {len(jobs)} jobs failed, the first with: {failed[0]}")
        return jobs


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


class OwnFilesFirst(SearchPathPlugin):
    """Look for YAML files in `./conf` first, in the commands of convscope."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folder; other programs with Hydra have none."""
        from convscope.config import folders

        if folders.own():
            search_path.prepend("convscope", f"file://{folders.own()}", anchor="main")


ConfigStore.instance().store(
    group="hydra/sweeper", name="convscope_jobs", node=JobSweeperConf, provider="convscope"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="convscope_grid", node=GridSweeperConf, provider="convscope"
)
