"""The study of a search: its storage, its sampler, and the trials that several processes take from it.

A trial belongs to one process, its owner, which holds a lock file. If the owner is killed, the operating
system releases the lock, and any other process gives the settings of the trial to a new one.
"""

import itertools
import os
import random
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from convscope.errors import ConvscopeError, one_line, unknown

DATABASE, JOURNAL = "study.db", "journal"
ATTEMPTS = 3  # how often the settings of a trial are run whose process is killed
FEWEST_TO_JUDGE = 5  # the share of failures is that of at least so many trials
_SAMPLERS = "optuna.samplers."
_SECONDS_TO_WAIT = 60  # for a database that another process writes to
_MANY_POINTS = 10_000  # a space with more points is not enumerated
_LOCKS, _ASK = ".workers", ".ask.lock"
# User attributes of a trial
OWNER, ATTEMPT, RETRY_OF, REPEATS, ERROR = "owner", "attempt", "retry_of", "repeats", "error"
_Point = tuple[tuple[str, Any], ...]  # the settings of a trial, sorted by their keys


@dataclass(frozen=True)
class Plan:
    """What all processes of a search know.

    Attributes:
        folder: the folder of the sweep, absolute.
        name: the name of the study.
        storage: an address that Optuna knows, a journal file (*.log or *.journal), `journal` for
            study.journal in `folder`, or None for study.db in `folder`.
        space: the distributions by parameter.
        trials: how many trials are to be complete or pruned.
        sampler: the class of Optuna as `_target_`, and its arguments.
        max_failure_rate: the share of failed trials, 0..1, above which the search stops.
        first: the number of the first trial of this command; earlier failures do not count.
    """

    folder: Path
    name: str
    storage: str | None
    space: Mapping[str, BaseDistribution]
    trials: int
    sampler: Mapping[str, Any]
    max_failure_rate: float
    first: int = 0


def open_study(plan: Plan) -> optuna.Study:
    """Return the study; create it if it does not exist.

    Raises:
        ConvscopeError: the storage cannot be opened, or the study has other directions.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # each run prints its own line
    sampler = SeededSampler(plan.sampler)
    plan.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(plan.folder / _ASK):  # two processes cannot create the tables of a database at once
            study = optuna.create_study(
                storage=_open_storage(storage_address(plan)),
                sampler=sampler,
                study_name=plan.name,
                direction="minimize",
                load_if_exists=True,
            )
    except ConvscopeError:
        raise
    except Exception as error:  # of SQLAlchemy, of a driver, of the file system
        raise ConvscopeError(
            f"cannot open the study in {storage_address(plan)}: {one_line(error)[:200]}; expected "
            "hydra.sweeper.storage=sqlite:///FILE.db, FILE.journal, or another address that Optuna takes"
        ) from error
    if study.directions != [optuna.study.StudyDirection.MINIMIZE]:
        raise ConvscopeError(
            f"the study {plan.name} in {storage_address(plan)} does not minimize one value: choose another "
            "hydra.sweeper.study_name"
        )
    return study


def storage_address(plan: Plan) -> str:
    """Return the storage as `optuna-dashboard` takes it."""
    if plan.storage is None:
        return f"sqlite:///{_relative(plan.folder / DATABASE)}"
    if plan.storage == JOURNAL:
        return str(_relative(plan.folder / "study.journal"))
    return plan.storage


def remove_locks(folder: Path) -> None:
    """Remove the lock file that `open_study` leaves in the folder of a sweep."""
    (folder / _ASK).unlink(missing_ok=True)


def _relative(path: Path) -> Path:
    """Return a path relative to the current folder, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _open_storage(address: str) -> str | BaseStorage:
    if "://" not in address:
        if Path(address).suffix not in (".log", ".journal"):
            raise ConvscopeError(
                f"hydra.sweeper.storage={address} is neither an address nor a journal file: expected "
                "sqlite:///FILE.db, FILE.journal or FILE.log"
            )
        return JournalStorage(JournalFileBackend(address, JournalFileOpenLock(address)))
    if address.startswith("sqlite:"):
        return RDBStorage(address, engine_kwargs={"connect_args": {"timeout": _SECONDS_TO_WAIT}})
    return address


class SeededSampler(BaseSampler):
    """A sampler of Optuna, made anew for each trial with the seed `seed` + number of the trial.

    So a search that is interrupted and resumed proposes what it would have proposed without the interruption,
    and two processes never draw the same random numbers.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        self.sampler = self._make(0)  # finds wrong settings at the start

    def _make(self, number: int) -> BaseSampler:
        given = dict(self.settings)
        target = str(given.pop("_target_", f"{_SAMPLERS}TPESampler"))
        name = target.removeprefix(_SAMPLERS)
        known = [item for item in optuna.samplers.__all__ if item.endswith("Sampler") and "Base" not in item]
        if name not in known:  # a configuration must not be able to name other code
            raise unknown("sampler", target, [_SAMPLERS + item for item in known])
        if given.get("seed") is not None:
            given["seed"] += number
        try:
            return getattr(optuna.samplers, name)(**given)
        except (TypeError, ValueError, ImportError) as error:
            raise ConvscopeError(f"hydra.sweeper.sampler={name}: {one_line(error)}") from None

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        self.sampler = self._make(trial.number)
        self.sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are sampled together."""
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values of the parameters that are sampled together."""
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the value of one parameter."""
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Pass the result on."""
        self.sampler.after_trial(study, trial, state, values)


@contextmanager
def owner(plan: Plan) -> Iterator[str]:
    """Yield the name of a new owner, the path of its lock file, which is held until the end."""
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.lock"
    path = plan.folder.absolute() / _LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with lock:
        try:
            yield str(path)
        finally:
            path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()  # if there is no other owner


def is_alive(name: str | None) -> bool:
    """Return whether an owner still holds its lock; one whose folder is not visible here counts as alive."""
    if name is None:  # killed before it could write its name
        return False
    path = Path(name)
    if not path.parent.parent.exists():
        return True
    if not path.exists():
        return False
    try:
        with FileLock(path, blocking=False):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


def ask(study: optuna.Study, plan: Plan, owner_name: str) -> optuna.Trial | None:
    """Return the next trial to run; None if enough are complete, pruned or running, or all points are known.

    Settings that another trial has, or had, are not run again: their trial gets the result of the other one.
    """
    with FileLock(plan.folder / _ASK):
        requeue_orphans(study)
        while _count(study) < plan.trials:
            known = _known(study, plan.space)
            points = count_points(plan.space)
            if points is not None and len(known) >= points:
                return None
            trial = study.ask(dict(plan.space))
            trial.set_user_attr(OWNER, owner_name)
            earlier = known.get(_point(trial.params))
            if earlier is None:
                _copy_epochs(study, trial)
                return trial
            _tell_result_of(study, trial, earlier)
            if points is not None:
                study.enqueue_trial(_unknown_point(plan.space, known, trial.number))
        return None


def _count(study: optuna.Study) -> int:
    """Return the number of complete, pruned and running trials; repetitions do not count."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return sum(REPEATS not in trial.user_attrs for trial in study.get_trials(False, states))


def own_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that are no repetition of another one and that no later one retries."""
    trials = study.get_trials(False)
    retried = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    return [trial for trial in trials if trial.number not in retried and REPEATS not in trial.user_attrs]


def _known(study: optuna.Study, space: Mapping[str, BaseDistribution]) -> dict[_Point, FrozenTrial]:
    """Return the trials whose settings are not run again, by their settings."""
    started = [trial for trial in own_trials(study) if trial.state is not TrialState.WAITING]
    return {_point(trial.params): trial for trial in started if trial.params.keys() == space.keys()}


def _point(parameters: Mapping[str, Any]) -> _Point:
    return tuple(sorted(parameters.items()))


def count_points(space: Mapping[str, BaseDistribution]) -> int | None:
    """Return the number of points of a finite space, None if it is infinite."""
    count = 1
    for distribution in space.values():
        values = _values(distribution)
        if values is None:
            return None
        count *= len(values)
    return count


def _values(distribution: BaseDistribution) -> Sequence[Any] | None:
    """Return all values of a finite distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    low, high, step = distribution.low, distribution.high, distribution.step  # type: ignore[attr-defined]
    if step is None:
        return None
    return [low + index * step for index in range(round((high - low) / step) + 1)]


def _unknown_point(
    space: Mapping[str, BaseDistribution], known: Mapping[_Point, Any], seed: int
) -> dict[str, Any]:
    """Return a random point of a finite space that no trial has."""
    values = {name: _values(distribution) or () for name, distribution in space.items()}
    drawn = random.Random(seed)  # noqa: S311  # not a secret
    if (count_points(space) or 0) <= _MANY_POINTS:
        points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
        return drawn.choice([point for point in points if _point(point) not in known])
    while True:
        point = {name: drawn.choice(options) for name, options in values.items()}
        if _point(point) not in known:
            return point


def _tell_result_of(study: optuna.Study, trial: optuna.Trial, earlier: FrozenTrial) -> None:
    """End a trial with the result of an earlier one with the same settings."""
    trial.set_user_attr(REPEATS, earlier.number)
    for epoch, loss in earlier.intermediate_values.items():
        trial.report(loss, epoch)
    if earlier.state is TrialState.COMPLETE:
        study.tell(trial, earlier.value)
    else:
        state = earlier.state if earlier.state is TrialState.PRUNED else TrialState.FAIL
        study.tell(trial, state=state)


def requeue_orphans(study: optuna.Study) -> None:
    """Fail the running trials whose owner is dead; enqueue their settings again, `ATTEMPTS` times at most."""
    for trial in study.get_trials(False, (TrialState.RUNNING,)):
        if not is_alive(trial.user_attrs.get(OWNER)):
            _requeue(study, trial, trial.user_attrs.get(ATTEMPT, 1) + 1)


def requeue_interrupted(study: optuna.Study, trial: optuna.Trial) -> None:
    """Fail a trial that its user has interrupted, and enqueue its settings again; this is no attempt."""
    _requeue(study, study.get_trials(False)[trial.number], trial.user_attrs.get(ATTEMPT, 1))


def _requeue(study: optuna.Study, trial: FrozenTrial, attempt: int) -> None:
    settings = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    retried = {other.user_attrs.get(RETRY_OF) for other in study.get_trials(False)}
    if settings and attempt <= ATTEMPTS and trial.number not in retried:
        study.enqueue_trial(settings, user_attrs={ATTEMPT: attempt, RETRY_OF: trial.number})
    study.tell(trial.number, state=TrialState.FAIL)  # after the retry: nothing is lost in between


def _copy_epochs(study: optuna.Study, trial: optuna.Trial) -> None:
    """Report the epochs of the interrupted trial that this one resumes."""
    number = trial.user_attrs.get(RETRY_OF)
    if number is not None:
        for epoch, loss in study.get_trials(False)[number].intermediate_values.items():
            trial.report(loss, epoch)


def prepare(study: optuna.Study, plan: Plan, defaults: Mapping[str, Any], *, retry_failed: bool) -> None:
    """Enqueue the current settings, unless a trial has them, and with `retry_failed` those of failed trials.

    Raises:
        ConvscopeError: the trials of the study have another space.
    """
    with FileLock(plan.folder / _ASK):
        _check_space(study, plan)
        requeue_orphans(study)
        if defaults:
            study.enqueue_trial(dict(defaults), skip_if_exists=True)
        if retry_failed:
            for trial in _failed(study):
                study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})


def _check_space(study: optuna.Study, plan: Plan) -> None:
    for trial in study.get_trials(False):
        for name, distribution in trial.distributions.items():
            try:
                optuna.distributions.check_distribution_compatibility(
                    distribution, plan.space.get(name, distribution)
                )
            except ValueError:
                raise ConvscopeError(
                    f"the study {plan.name} in {storage_address(plan)} has other values of {name}: expected "
                    f"{distribution}; choose another hydra.sweeper.study_name or sweep.name"
                ) from None


def _failed(study: optuna.Study) -> list[FrozenTrial]:
    return [trial for trial in own_trials(study) if trial.state is TrialState.FAIL]


def check_failures(study: optuna.Study, plan: Plan) -> None:
    """Raise ConvscopeError if too many trials of this command have failed."""
    trials = [
        trial for trial in own_trials(study) if trial.number >= plan.first and trial.state.is_finished()
    ]
    failed = [trial for trial in trials if trial.state is TrialState.FAIL]
    if len(failed) > plan.max_failure_rate * max(len(trials), FEWEST_TO_JUDGE):
        reason = failed[-1].user_attrs.get(ERROR, f"its process ended {ATTEMPTS} times")
        raise ConvscopeError(
            f"the search stops because {len(failed)} of {len(trials)} trials failed, more than "
            f"hydra.sweeper.max_failure_rate={plan.max_failure_rate:g} allows; the last one: {reason}"
        )
