"""The loop of a process that takes trials from a study, runs them, and tells their results."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
from optuna.pruners import MedianPruner
from optuna.trial import TrialState

from convscope.sweep import trial_queue
from convscope.sweep.epoch_report import epoch_report
from convscope.sweep.record import Pruned
from convscope.sweep.study import Plan, open_study


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: a validation loss, `pruned`, or an error of one line."""

    loss: float | None = None
    pruned: bool = False
    error: str | None = None


Run = Callable[[optuna.Trial], Outcome]


def work(plan: Plan, run: Run) -> None:
    """Run trials until the study has enough of them.

    Raises:
        ConvscopeError: too many trials fail, or the study cannot be opened.
        KeyboardInterrupt: after Ctrl-C; the next process of this search takes the trial over.
    """
    study = open_study(plan)
    with trial_queue.owner(plan) as owner:
        while (trial := trial_queue.ask(study, plan, owner)) is not None:
            try:
                outcome = run(trial)
            except KeyboardInterrupt:
                trial_queue.requeue_interrupted(study, trial)
                raise
            tell(study, trial, outcome)
            trial_queue.check_failures(study, plan)


def tell(study: optuna.Study, trial: optuna.Trial, outcome: Outcome) -> None:
    """Store the outcome of a trial; one without a finite loss fails."""
    if outcome.pruned:
        study.tell(trial, state=TrialState.PRUNED)
    elif outcome.loss is not None and math.isfinite(outcome.loss):
        study.tell(trial, outcome.loss)
    else:
        trial.set_user_attr(trial_queue.ERROR, outcome.error or f"the validation loss is {outcome.loss}")
        study.tell(trial, state=TrialState.FAIL)


@contextmanager
def reporting(trial: optuna.Trial, warmup_epochs: int) -> Iterator[None]:
    """Send the epochs of the training inside to the trial; after the warm-up, it may be pruned.

    A run is pruned if its lowest loss is above the median of the losses of the complete trials in the same
    epoch; at least five trials must be complete (D. Golovin et al., Google Vizier, 2017). Repetitions of
    other trials do not count.

    Args:
        trial: the trial.
        warmup_epochs: the epochs of the head and of the warm-up, in which losses say little.
    """
    pruner = MedianPruner(n_warmup_steps=warmup_epochs + 1)

    def report(epoch: int, loss: float, is_last: bool) -> None:
        if epoch not in trial.study.get_trials(False)[trial.number].intermediate_values:
            trial.report(loss, epoch)
        if is_last:
            return
        others = trial_queue.without_repetitions(trial.study)
        if pruner.prune(others, trial.study.get_trials(False)[trial.number]):
            raise Pruned

    token = epoch_report.set(report)
    try:
        yield
    finally:
        epoch_report.reset(token)
