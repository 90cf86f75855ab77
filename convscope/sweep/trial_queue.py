"""The trials that several processes take from one study.

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
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from convscope.errors import ConvscopeError
from convscope.sweep.study import LOCK, RETRY_OF, Plan, draws_before, storage_address

ATTEMPTS = 3  # how often the settings of a trial are run whose process is killed
FEWEST_TO_JUDGE = 5  # the share of failures is that of at least so many trials
_MANY_POINTS = 10_000  # a space with more points is not enumerated
_OWNERS = ".workers"
# User attributes of a trial
OWNER, ATTEMPT, REPEATS, ERROR = "owner", "attempt", "repeats", "error"
FIXED = "fixed"  # user attribute of a study: the arguments of all its trials
_Point = tuple[tuple[str, Any], ...]  # the settings of a trial, sorted by their keys


@contextmanager
def owner(plan: Plan) -> Iterator[str]:
    """Yield the name of a new owner, the path of its lock file, which is held until the end."""
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.lock"
    path = plan.folder.absolute() / _OWNERS / name
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
    with FileLock(plan.folder / LOCK):
        requeue_orphans(study)
        while _count(study) < plan.trials:
            known = _known(study, plan.space)
            points = _count_points(plan.space)
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
                draws = draws_before(study, trial.number)
                study.enqueue_trial(_unknown_point(plan.space, known, draws))
        return None


def _count(study: optuna.Study) -> int:
    """Return the number of complete, pruned and running trials; repetitions do not count."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return sum(REPEATS not in trial.user_attrs for trial in study.get_trials(False, states))


def own_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials without repetitions of other trials and without trials that were retried later."""
    trials = study.get_trials(False)
    retried = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    return [trial for trial in trials if trial.number not in retried and REPEATS not in trial.user_attrs]


def without_repetitions(study: optuna.Study) -> optuna.Study:
    """Return a study in memory with the complete trials; the repetitions of other trials are no evidence."""
    own = optuna.create_study(direction="minimize")
    complete = study.get_trials(False, (TrialState.COMPLETE,))
    own.add_trials([trial for trial in complete if REPEATS not in trial.user_attrs])
    return own


def _known(study: optuna.Study, space: Mapping[str, BaseDistribution]) -> dict[_Point, FrozenTrial]:
    """Return the trials whose settings are not run again, by their settings."""
    started = [trial for trial in own_trials(study) if trial.state is not TrialState.WAITING]
    return {_point(trial.params): trial for trial in started if trial.params.keys() == space.keys()}


def _point(parameters: Mapping[str, Any]) -> _Point:
    """Return settings in a form that can be compared; numbers with a step are rounded differently."""
    rounded = {
        name: float(f"{value:.12g}") if isinstance(value, float) else value
        for name, value in parameters.items()
    }
    return tuple(sorted(rounded.items()))


def _count_points(space: Mapping[str, BaseDistribution]) -> int | None:
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
    if (_count_points(space) or 0) <= _MANY_POINTS:
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


def check(study: optuna.Study, plan: Plan) -> None:
    """Check that a study has the space and the fixed arguments of the plan; a new study gets the latter.

    Raises:
        ConvscopeError: its trials have another space or other arguments.
    """
    with FileLock(plan.folder / LOCK):
        _check_space(study, plan)
        given, earlier = sorted(plan.fixed), study.user_attrs.get(FIXED)
        if earlier is None:
            study.set_user_attr(FIXED, given)
        elif earlier != given:
            raise ConvscopeError(
                f"the study {plan.name} in {storage_address(plan)} has the settings {' '.join(earlier)}, but "
                f"this sweep has {' '.join(given)}: use the same settings, or choose another sweep.name"
            )


def prepare(study: optuna.Study, plan: Plan, defaults: Mapping[str, Any], *, retry_failed: bool) -> None:
    """Enqueue the current settings, unless a trial has them; with `retry_failed`, those of failed trials."""
    with FileLock(plan.folder / LOCK):
        requeue_orphans(study)
        if defaults:
            study.enqueue_trial(dict(defaults), skip_if_exists=True)
        if retry_failed:
            for trial in _failed(study):
                study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})


def _check_space(study: optuna.Study, plan: Plan) -> None:
    name_of_study = f"the study {plan.name} in {storage_address(plan)}"
    for trial in study.get_trials(False):
        for name, distribution in trial.distributions.items():
            given = plan.space.get(name, distribution)
            if given != distribution:
                raise ConvscopeError(
                    f"{name_of_study} has other values of {name}: expected {distribution}, received {given}; "
                    "use the same values, or choose another hydra.sweeper.study_name or sweep.name"
                )
        is_whole = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)  # others may lack some settings
        names = trial.distributions.keys()
        if not names <= plan.space.keys() or (is_whole and names != plan.space.keys()):
            raise ConvscopeError(
                f"{name_of_study} searches {', '.join(names) or 'nothing'}, but this sweep searches "
                f"{', '.join(plan.space)}: use the same parameters, or choose another "
                "hydra.sweeper.study_name or sweep.name"
            )


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
