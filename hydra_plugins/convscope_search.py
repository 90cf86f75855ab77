"""The sweeper of `sweep=search`. Hydra finds it in this namespace package and imports it at every start."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig

from convscope.errors import ConvscopeError


@dataclass
class TPESamplerConf:
    """The tree-structured Parzen estimator (J. Bergstra et al., 2011), multivariate."""

    _target_: str = "optuna.samplers.TPESampler"
    seed: int | None = 0
    n_startup_trials: int = 10


@dataclass
class RandomSamplerConf:
    """Random search (J. Bergstra and Y. Bengio, 2012)."""

    _target_: str = "optuna.samplers.RandomSampler"
    seed: int | None = 0


@dataclass
class SearchSweeperConf:
    """The settings of the search, named as those of hydra-optuna-sweeper."""

    _target_: str = "hydra_plugins.convscope_search.SearchSweeper"
    _recursive_: bool = False  # the sampler is made in each process
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}])
    sampler: Any = MISSING
    direction: Any = "minimize"
    storage: str | None = None
    study_name: str | None = None
    n_trials: int = 20
    n_jobs: int = 1
    max_failure_rate: float = 0.5
    params: dict[str, Any] | None = None


class SearchSweeper(Sweeper):
    """Let Optuna choose the settings of each run; see `convscope.config.search`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store what the search needs."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the search."""
        try:
            from convscope.config import search
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "optuna":
                raise
            raise ConvscopeError(
                'sweep=search needs Optuna, which is not installed: run python -m pip install "optuna>=5,<6"'
            ) from None
        return search.run(
            search.Settings(**self.settings),
            arguments,
            config=self.config,
            context=self.hydra_context,
            task=self.task_function,
        )


_STORE = ConfigStore.instance()
_STORE.store(group="hydra/sweeper", name="convscope_search", node=SearchSweeperConf, provider="convscope")
_STORE.store(group="hydra/sweeper/sampler", name="tpe", node=TPESamplerConf, provider="convscope")
_STORE.store(group="hydra/sweeper/sampler", name="random", node=RandomSamplerConf, provider="convscope")
