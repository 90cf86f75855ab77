"""Sweeps whose settings Optuna chooses: the study, the processes that work on it, and one run per trial."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException, ValidationError

from convscope import run_directories
from convscope.config import search_space, sweep_directory
from convscope.config.explain import explain
from convscope.config.overrides import quote
from convscope.config.registry import GROUPS
from convscope.config.search_space import Parameter
from convscope.config.sweep_directory import SweepDirectory
from convscope.errors import ConvscopeError
from convscope.options import check_range
from convscope.sweep import record, report, search, search_results, study, trial_queue
from convscope.sweep.record import Record, State
from convscope.sweep.run_names import run_names
from convscope.sweep.search import Outcome

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


@dataclass
class Settings:
    """The settings of the sweeper, named as those of hydra-optuna-sweeper.

    Attributes:
        sampler: the class of Optuna as `_target_`, and its arguments.
        direction: `minimize`, because the objective is the validation loss.
        storage: see `convscope.sweep.study.Plan`.
        study_name: the name of the study; None: that of the sweep.
        n_trials: how many trials are to be complete or pruned.
        n_jobs: the number of processes.
        max_failure_rate: the share of failed trials above which the search stops.
        params: sweep expressions by key.
    """

    sampler: Mapping[str, Any]
    direction: Any
    storage: str | None
    study_name: str | None
    n_trials: int
    n_jobs: int
    max_failure_rate: float
    params: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        """Check the ranges, and that there is one objective."""
        directions = [self.direction] if isinstance(self.direction, str) else list(self.direction)
        if len(directions) != 1:
            raise ConvscopeError(
                f"hydra.sweeper.direction={directions} has {len(directions)} objectives: expected minimize, "
                "because a run has one result, its validation loss, and pruning compares one value"
            )
        if directions != ["minimize"]:
            raise ConvscopeError(
                f"hydra.sweeper.direction={directions[0]}: expected minimize, because the objective is the "
                "validation loss"
            )
        check_range("hydra.sweeper.n_trials", self.n_trials, 1)
        check_range("hydra.sweeper.n_jobs", self.n_jobs, 1)
        check_range("hydra.sweeper.max_failure_rate", self.max_failure_rate, 0, 1)


@dataclass(frozen=True)
class Worker:
    """The task of each job of the launcher: it takes trials from the study until there are enough.

    Its attributes are pickled by launchers that use other processes.
    """

    plan: study.Plan
    sweep: SweepDirectory
    fixed: Sequence[str]
    space: Mapping[str, Parameter]
    task: TaskFunction
    context: HydraContext
    config: DictConfig

    def __call__(self, _: DictConfig) -> str | None:
        """Work; return the message of an error that ends the search."""
        try:
            search.work(self.plan, self._run)
        except ConvscopeError as error:
            return str(error)
        return None

    def _run(self, trial: Any) -> Outcome:
        """Run a trial as one run of the sweep."""
        chosen = [(parameter, trial.params[key]) for key, parameter in self.space.items()]
        overrides = [*self.fixed, *(parameter.argument(value) for parameter, value in chosen)]
        values = {parameter.key.lstrip("+"): parameter.text(value) for parameter, value in chosen}
        directory = self._directory(trial.number, values, overrides)
        job = self.sweep.job_overrides(directory, overrides)
        try:
            config = self.context.config_loader.load_sweep_config(self.config, job)
            epochs = config.finetune.head_epochs + math.ceil(config.training.warmup_epochs)
        except (HydraException, OmegaConfBaseException) as error:
            return Outcome(error=explain(error, GROUPS))
        if not record.is_planned(directory):
            Record(directory, trial.number, sweep_directory.of_runs(overrides), values).write()
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = f"trial_{trial.number}", trial.number
            config.hydra.launcher = self.config.hydra.launcher  # with the number of processes
        with search.reporting(trial, epochs):
            done = run_job(
                hydra_context=self.context,
                task_function=self.task,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        _ = done.return_value  # raises an error outside of the run, for example of a damaged sweep.json
        return _outcome(record.read(directory))

    def _directory(self, number: int, values: Mapping[str, str], overrides: Sequence[str]) -> Path:
        """Return the directory of a run; that of an interrupted one with the same settings."""
        (name,) = run_names([values])
        directory = self.sweep.path / name
        if not record.is_planned(directory):
            return directory
        earlier = sweep_directory.of_runs(record.read(directory).overrides)
        if sorted(earlier) == sorted(sweep_directory.of_runs(overrides)):
            return directory
        return directory.with_name(f"{name}-{number}")  # other settings whose shortened values are equal


def _outcome(run: Record) -> Outcome:
    if run.state is State.finished:
        return Outcome(loss=run.value)
    if run.state is State.pruned:
        return Outcome(pruned=True)
    return Outcome(error=run.error or f"{run.directory} is {run.state.value} in another process")


def run(
    settings: Settings,
    arguments: Sequence[str],
    *,
    config: DictConfig,
    context: HydraContext,
    task: TaskFunction,
) -> Any:
    """Run a search, and return what the launcher returns.

    Args:
        settings: the settings of the sweeper.
        arguments: the arguments of the command line, without those of Hydra.
        config: the composed configuration, with that of Hydra.
        context: that of Hydra, to compose the configuration of each run.
        task: runs one configuration.
    """
    _prepare_launcher(settings, config)
    study.SeededSampler(settings.sampler)  # raises an error about its settings
    parameters = [f"{key}={value}" for key, value in (settings.params or {}).items()]
    given = sweep_directory.without_controls([*parameters, *arguments])
    parser = OverridesParser.create(config_loader=context.config_loader)
    fixed, space = search_space.split(parser.parse_overrides(given))
    base = context.config_loader.load_sweep_config(config, fixed)
    for key, value in (("evaluate", ",".join(base.evaluate)), ("predict", base.predict)):
        if value:
            raise ConvscopeError(
                f"{key}={value} trains nothing, but sweep=search needs trainings: remove {key}"
            )
    _check_values(context, config, base, space)
    existing = run_directories.existing_parents([str(config.hydra.sweep.dir)])
    sweep = sweep_directory.choose(config, given)
    try:
        plan = _prepare(_plan(settings, sweep, fixed, space), sweep, _defaults(base, space))
    except ConvscopeError:
        if not (sweep.path / report.SWEEP).exists():  # else another process may hold the lock
            study.remove_locks(sweep.path)
        run_directories.remove_empty(sweep.path, existing)
        raise
    with sweep_directory.running(sweep, runs=plan.trials), _results(plan):
        print(f"study: {plan.name} in {study.storage_address(plan)}")
        worker = Worker(plan, sweep, fixed, space, task, context, config)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=worker, config=config
        )
        job = [*fixed, f"hydra.sweep.dir={quote(str(sweep.path))}", "hydra.sweep.subdir='.'"]
        done = launcher.launch([job] * settings.n_jobs, initial_job_idx=0)
        for message in [one.return_value for one in done]:
            if message:
                raise ConvscopeError(message)
    return done


@contextmanager
def _results(plan: study.Plan) -> Iterator[None]:
    """Draw the charts of the search and print its summary at the end, also after an error or Ctrl-C."""
    try:
        yield
    finally:
        opened = study.open_study(plan)
        search_results.write(opened, plan)
        print(search_results.summary(opened))
        print(f"to look at the study: {search_results.dashboard_command(plan)}")


def _prepare_launcher(settings: Settings, config: DictConfig) -> None:
    """Let joblib start all processes of the search at once; the other launchers do so anyway.

    Raises:
        ConvscopeError: the launcher runs one job after another.
    """
    launcher = config.hydra.launcher
    if settings.n_jobs > 1 and launcher._target_ == BASIC_LAUNCHER:
        raise ConvscopeError(
            f"hydra.sweeper.n_jobs={settings.n_jobs} needs a launcher that runs several jobs at once: add "
            "launcher=joblib, or set hydra.sweeper.n_jobs=1"
        )
    if launcher._target_.endswith("JoblibLauncher"):
        with read_write(config):
            launcher.n_jobs = settings.n_jobs


def _check_values(
    context: HydraContext, config: DictConfig, base: DictConfig, space: Mapping[str, Parameter]
) -> None:
    """Check each choice and each end of an interval, before a run finds a wrong one hours later.

    The other settings have their current values.
    """
    for parameter in space.values():
        for argument in parameter.ends():
            composed = _with(context, config, base, argument)
            with open_dict(composed):
                del composed["hydra"]
            if not OmegaConf.missing_keys(composed):
                OmegaConf.to_object(composed)


def _with(context: HydraContext, config: DictConfig, base: DictConfig, argument: str) -> DictConfig:
    """Return the configuration with one more argument."""
    override = OverridesParser.create(config_loader=context.config_loader).parse_override(argument)
    if override.is_add() or override.is_force_add() or override.key_or_group in base.hydra.runtime.choices:
        return context.config_loader.load_sweep_config(config, [*base.hydra.overrides.task, argument])
    composed = copy.deepcopy(base)
    try:
        OmegaConf.update(composed, override.key_or_group, override.value())  # 50 times as fast
    except ValidationError as error:
        if "could not be converted to Integer" not in str(error):
            raise
        raise ConvscopeError(
            f"{argument}: expected an integer; write {override.key_or_group}=int(interval(…)), or range(…)"
        ) from None
    return composed


def _plan(
    settings: Settings, sweep: SweepDirectory, fixed: Sequence[str], space: Mapping[str, Parameter]
) -> study.Plan:
    return study.Plan(
        folder=sweep.path.absolute(),
        name=settings.study_name or sweep.path.name,
        storage=settings.storage,
        space={key: parameter.distribution for key, parameter in space.items()},
        trials=settings.n_trials,
        sampler=settings.sampler,
        max_failure_rate=settings.max_failure_rate,
        fixed=sweep_directory.of_runs(fixed),
    )


def _prepare(plan: study.Plan, sweep: SweepDirectory, defaults: Mapping[str, Any]) -> study.Plan:
    """Enqueue the current settings; return the plan with the number of its first trial."""
    sweep_directory.check_comparable(sweep.path, plan.fixed, [key.lstrip("+") for key in plan.space])
    opened = study.open_study(plan)
    trial_queue.check(opened, plan)  # before anything is changed
    if sweep.settings.retry_failed:
        for one in record.read_all(sweep.path):
            record.retried(one)
    first = len(opened.trials)  # before the current settings and those of failed trials are enqueued
    trial_queue.prepare(opened, plan, defaults, retry_failed=sweep.settings.retry_failed)
    return replace(plan, first=first)


def _defaults(base: DictConfig, space: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the current settings as values of the space; print those that it does not contain."""
    defaults, outside = {}, []
    for key, parameter in space.items():
        name = key.lstrip("+")
        choices = base.hydra.runtime.choices
        setting = choices[name] if name in choices else OmegaConf.select(base, name)
        if OmegaConf.is_config(setting):  # a list
            setting = OmegaConf.to_container(setting, enum_to_str=True)
        try:
            defaults[key] = parameter.value_of(setting)
        except LookupError as error:
            outside.append(str(error))
    if outside:
        print(f"trial 0 has the current settings, except those outside of the space: {', '.join(outside)}")
    return defaults
