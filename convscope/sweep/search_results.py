"""The results of a search: its best trial as text, and its charts."""

import warnings
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState

from convscope import files
from convscope.render import search_charts
from convscope.render.search_charts import Dot, Setting
from convscope.sweep.report import HISTORY, IMPORTANCE, SEARCH_FILE, SLICES
from convscope.sweep.study import Plan, storage_address
from convscope.sweep.trial_queue import REPEATS, own_trials, without_repetitions

_FEWEST = 5  # complete trials; an importance from fewer means nothing


def dashboard_command(plan: Plan) -> str:
    """Return the command that shows the study in a browser."""
    return f"optuna-dashboard {storage_address(plan)}"


def summary(study: optuna.Study) -> str:
    """Return the number of trials and the best one: "20 trials: 12 complete, 8 pruned; best: trial 7 …"."""
    trials = own_trials(study)
    counts = [
        f"{count} {state.name.lower()}"
        for state in TrialState
        if (count := sum(trial.state is state for trial in trials))
    ]
    line = f"{len(trials)} trials: {', '.join(counts) or 'none'}"
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.value is not None]
    if not complete:
        return line
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    settings = " ".join(f"{name}={_short(value)}" for name, value in best.params.items())
    return f"{line}; best: trial {best.number} with validation loss {best.value:.4f}, {settings}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write(study: optuna.Study, plan: Plan) -> None:
    """Write what `report.html` shows of the search: its summary, its charts, and the command above."""
    draw_charts(study, plan)
    shown = {"summary": summary(study), "study": study.study_name, "dashboard": dashboard_command(plan)}
    files.write_json(plan.folder / SEARCH_FILE, shown)


def draw_charts(study: optuna.Study, plan: Plan) -> list[Path]:
    """Draw history, importance and slices into the folder of the sweep; return the files."""
    dots = _dots(study)
    if not dots:
        return []
    paths = [plan.folder / HISTORY, plan.folder / SLICES]
    search_charts.history(paths[0], dots)
    search_charts.slices(paths[1], dots, [_setting(name, plan) for name in plan.space])
    shares = importance(study)
    if shares:
        paths.append(plan.folder / IMPORTANCE)
        search_charts.importance(paths[-1], shares)
    return paths


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the share of each setting in the differences between good trials and all trials (PED-ANOVA).

    S. Watanabe et al., PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces
    (2023). It is empty with fewer than five complete trials, or if all have the same loss.
    """
    own = without_repetitions(study)
    complete = own.get_trials(False)
    if len(complete) < _FEWEST or len({trial.value for trial in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is marked as experimental
        return optuna.importance.get_param_importances(own, evaluator=PedAnovaImportanceEvaluator())


def _dots(study: optuna.Study) -> list[Dot]:
    trials = study.get_trials(False, (TrialState.COMPLETE, TrialState.PRUNED))
    return [
        Dot(trial.number, trial.value, trial.state is TrialState.PRUNED, trial.params)
        for trial in trials
        if trial.value is not None and REPEATS not in trial.user_attrs
    ]


def _setting(name: str, plan: Plan) -> Setting:
    distribution = plan.space[name]
    if isinstance(distribution, CategoricalDistribution):
        return Setting(name, False, distribution.choices)
    return Setting(name, bool(distribution.log), None)  # type: ignore[attr-defined]
