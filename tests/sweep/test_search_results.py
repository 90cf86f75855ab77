"""The summary, the importance and the charts of a study."""

from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from convscope.sweep import search_results
from convscope.sweep.study import Plan, open_study

SPACE = {"rate": FloatDistribution(1e-4, 1e-2, log=True), "size": CategoricalDistribution([8, 16])}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(tmp_path, "test", "journal", SPACE, 10, {}, 0.5)


def add(study: optuna.Study, rate: float, size: int, value: float | None, **more: object) -> None:
    trial = {"state": TrialState.COMPLETE, "value": value} | more
    study.add_trial(create_trial(params={"rate": rate, "size": size}, distributions=SPACE, **trial))


def test_the_summary_counts_trials_without_repetitions_and_names_the_best(plan: Plan) -> None:
    study = open_study(plan)
    assert search_results.summary(study) == "0 trials: none"
    add(study, 0.001, 8, 0.5)
    add(study, 0.00123456, 16, 0.25)
    add(study, 0.00123456, 16, 0.25, user_attrs={"repeats": 1})
    add(study, 0.002, 16, 0.1, state=TrialState.PRUNED)
    add(study, 0.003, 16, None, state=TrialState.FAIL)
    assert search_results.summary(study) == (
        "4 trials: 2 complete, 1 pruned, 1 fail; best: trial 1 with validation loss 0.2500, "
        "rate=0.001235 size=16"
    )


def test_only_a_setting_that_matters_is_important(plan: Plan) -> None:
    """The loss depends on the rate alone."""
    study = open_study(plan)
    for index in range(12):
        add(study, 1e-4 * 1.4**index, (8, 16)[index % 2], abs(index - 6.0))
    shares = search_results.importance(study)
    assert shares["rate"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_few_or_equal_trials_have_no_importance(plan: Plan) -> None:
    study = open_study(plan)
    for index in range(8):
        assert search_results.importance(study) == {}
        add(study, 1e-3 + index * 1e-4, 8, 0.5)


def test_repetitions_are_no_evidence_for_the_importance(plan: Plan) -> None:
    study = open_study(plan)
    for index in range(4):
        add(study, 1e-3 + index * 1e-4, 8, 0.5 + index)
    for _ in range(4):
        add(study, 1e-3, 8, 0.5, user_attrs={"repeats": 0})
    assert search_results.importance(study) == {}


def test_charts_are_drawn_when_there_are_trials(plan: Plan) -> None:
    study = open_study(plan)
    assert search_results.draw_charts(study, plan) == []
    for index in range(6):
        add(study, 1e-3 + index * 1e-4, 8, 0.5 + index)
    paths = search_results.draw_charts(study, plan)
    assert {path.name for path in paths} == {
        "search_history.png",
        "search_slices.png",
        "search_importance.png",
    }
    assert all(path.stat().st_size > 1000 for path in paths)
