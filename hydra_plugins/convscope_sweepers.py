"""The sweepers of convscope. Hydra finds them in this namespace package and imports them at every start."""

from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore


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


ConfigStore.instance().store(
    group="hydra/sweeper", name="convscope_jobs", node=JobSweeperConf, provider="convscope"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="convscope_grid", node=GridSweeperConf, provider="convscope"
)
