"""The trials that processes take from one study; the objective is a formula, no training."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState

from convscope.errors import ConvscopeError
from convscope.sweep import study as studies
from convscope.sweep import trial_queue
from convscope.sweep.epoch_report import epoch_report
from convscope.sweep.record import Pruned
from convscope.sweep.search import Outcome, reporting, work
from convscope.sweep.study import Plan

ROOT = Path(__file__).resolve().parents[2]
STORAGES = [pytest.param(None, marks=pytest.mark.slow), "journal"]  # SQLite waits for the disk


def plan_in(folder: Path, **changes: object) -> Plan:
    plan = Plan(
        folder=folder.absolute(),
        name="test",
        storage="journal",  # several times as fast as SQLite
        space={"x": FloatDistribution(-1, 1), "n": IntDistribution(1, 3)},
        trials=6,
        sampler={"seed": 3, "n_startup_trials": 3},
        max_failure_rate=0.5,
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def parabola(trial: optuna.Trial) -> Outcome:
    return Outcome(loss=trial.params["x"] ** 2 + trial.params["n"])


def states(plan: Plan) -> Counter[str]:
    return Counter(trial.state.name for trial in studies.open_study(plan).trials)


def take(plan: Plan) -> optuna.Trial:
    """Take a trial for an owner that is dead: its lock file is missing."""
    dead = str(plan.folder / ".workers" / "dead.lock")
    trial = trial_queue.ask(studies.open_study(plan), plan, dead)
    assert trial is not None
    return trial


@pytest.mark.parametrize("storage", STORAGES)
def test_a_search_is_topped_up_to_its_number_of_trials(tmp_path: Path, storage: str | None) -> None:
    plan = plan_in(tmp_path, storage=storage, trials=4)
    work(plan, parabola)
    work(plan, parabola)
    assert states(plan) == {"COMPLETE": 4}
    work(replace(plan, trials=6), parabola)
    assert states(plan) == {"COMPLETE": 6}
    assert not (tmp_path / ".workers").exists()


def test_a_search_in_two_parts_proposes_the_same_as_in_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    whole, parts = plan_in(tmp_path / "one"), plan_in(tmp_path / "two")
    work(whole, parabola)
    work(replace(parts, trials=4), parabola)
    work(parts, parabola)
    first, second = ([trial.params for trial in studies.open_study(plan).trials] for plan in (whole, parts))
    assert first == second
    assert len({trial["x"] for trial in first}) == 6


@pytest.mark.parametrize("space", [None, {"n": IntDistribution(1, 4), "c": CategoricalDistribution("ab")}])
def test_an_interrupted_search_proposes_the_same_as_an_uninterrupted_one(
    tmp_path: Path, space: dict | None
) -> None:
    """Random trials and those of TPE are interrupted by Ctrl-C, by SIGKILL, and before they have settings."""
    changes = {"space": space} if space else {}
    whole, parts = (plan_in(tmp_path / name, trials=8, **changes) for name in ("one", "two"))
    expected: list[dict] = []
    found: list[dict] = []
    interrupted: list[dict] = []

    def score(trial: optuna.Trial) -> Outcome:
        return Outcome(loss=float(sum(map(ord, str(trial.params))) % 17))

    def run(trial: optuna.Trial) -> Outcome:
        expected.append(trial.params)
        return score(trial)

    def interrupt_one(trial: optuna.Trial) -> Outcome:
        if len(found) in (1, 6) and trial.params not in interrupted:
            interrupted.append(trial.params)
            raise KeyboardInterrupt
        found.append(trial.params)
        return score(trial)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            work(parts, interrupt_one)
        studies.open_study(parts).ask()  # killed before it got settings
        take(parts)  # killed
    work(parts, interrupt_one)
    work(whole, run)
    assert len(expected) == 8
    assert found == expected


def test_the_current_settings_are_trial_0_once(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=2)
    for _ in range(2):
        trial_queue.prepare(studies.open_study(plan), plan, {"x": 0.5, "n": 2}, retry_failed=False)
    work(plan, parabola)
    trials = studies.open_study(plan).trials
    assert (len(trials), trials[0].params) == (2, {"x": 0.5, "n": 2})


def test_the_trial_of_a_killed_process_is_retried_with_its_epochs(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=1)
    orphan = take(plan)
    orphan.report(0.7, 1)
    epochs = []

    def run(trial: optuna.Trial) -> Outcome:
        epochs.append(trial.study.trials[trial.number].intermediate_values)
        return parabola(trial)

    work(plan, run)
    first, second = studies.open_study(plan).trials
    assert (first.state, second.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert second.params == orphan.params
    assert epochs == [{1: 0.7}]


def test_settings_whose_process_is_killed_three_times_are_given_up(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=1, max_failure_rate=0.4)
    settings = [take(plan).params for _ in range(trial_queue.ATTEMPTS)]
    assert settings[0] == settings[1] == settings[2]
    work(plan, parabola)
    trials = studies.open_study(plan).trials
    assert [trial.state.name for trial in trials] == ["FAIL"] * 3 + ["COMPLETE"]
    assert trials[3].params != settings[0]


def test_ctrl_c_is_no_attempt(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=1)

    def interrupt(trial: optuna.Trial) -> Outcome:
        raise KeyboardInterrupt

    for _ in range(trial_queue.ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            work(plan, interrupt)
    work(plan, parabola)
    trials = studies.open_study(plan).trials
    assert [trial.state.name for trial in trials] == ["FAIL"] * 4 + ["COMPLETE"]
    assert all(trial.params == trials[0].params for trial in trials)


def test_a_trial_that_died_before_its_owner_was_stored_is_no_obstacle(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=1)
    studies.open_study(plan).ask()
    work(plan, parabola)
    assert states(plan) == {"FAIL": 1, "COMPLETE": 1}


def test_the_trial_of_a_live_process_is_left_alone(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=2)
    with trial_queue.owner(plan) as owner:
        study = studies.open_study(plan)
        held = trial_queue.ask(study, plan, owner)
        work(plan, parabola)  # the other trial
        assert states(plan) == {"RUNNING": 1, "COMPLETE": 1}
        assert held is not None
        study.tell(held, 1.0)
    assert states(plan) == {"COMPLETE": 2}


def test_an_owner_whose_folder_is_not_visible_counts_as_alive(tmp_path: Path) -> None:
    assert trial_queue.is_alive(str(tmp_path / "elsewhere" / ".workers" / "a.lock"))
    assert not trial_queue.is_alive(str(tmp_path / ".workers" / "a.lock"))
    assert not trial_queue.is_alive(None)


def test_a_finite_space_is_exhausted_without_repetitions(tmp_path: Path) -> None:
    space = {"n": CategoricalDistribution(["a", "b"]), "m": IntDistribution(1, 3)}
    plan, runs = plan_in(tmp_path, space=space, trials=30), []

    def run(trial: optuna.Trial) -> Outcome:
        runs.append(tuple(trial.params.values()))
        return Outcome(loss=float(len(runs))) if len(runs) > 1 else Outcome(error="no")

    work(plan, run)
    assert sorted(runs) == [(n, m) for n in "ab" for m in (1, 2, 3)]
    work(plan, run)
    assert len(runs) == 6


def test_steps_of_a_tenth_are_points_of_a_finite_space(tmp_path: Path) -> None:
    plan, runs = plan_in(tmp_path, space={"x": FloatDistribution(0.1, 0.7, step=0.1)}, trials=30), []

    def run(trial: optuna.Trial) -> Outcome:
        runs.append(round(trial.params["x"], 6))
        return Outcome(loss=abs(trial.params["x"] - 0.3))

    work(plan, run)
    assert sorted(runs) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome(loss=0.25), TrialState.COMPLETE),
        (Outcome(pruned=True), TrialState.PRUNED),
        (Outcome(error="too bad"), TrialState.FAIL),
        (Outcome(loss=float("nan")), TrialState.FAIL),
    ],
)
def test_known_settings_get_the_known_result(tmp_path: Path, outcome: Outcome, state: TrialState) -> None:
    plan, runs = plan_in(tmp_path, trials=2), []
    settings = {"x": 0.5, "n": 1}

    def run(trial: optuna.Trial) -> Outcome:
        runs.append(trial.params)
        trial.report(0.3, 1)
        return outcome if trial.params == settings else parabola(trial)

    study = studies.open_study(plan)
    study.enqueue_trial(settings)
    study.enqueue_trial(settings)
    work(plan, run)
    first, second, *_ = study.trials
    assert (first.state, second.state) == (state, state)
    assert first.values == second.values
    assert runs.count(settings) == 1
    assert len(runs) == (3 if state is TrialState.FAIL else 2)


def test_a_search_stops_when_too_many_trials_fail(tmp_path: Path) -> None:
    plan, runs = plan_in(tmp_path), []

    def run(trial: optuna.Trial) -> Outcome:
        runs.append(trial.number)
        return Outcome(error="the loss is nan")

    with pytest.raises(ConvscopeError, match=r"3 of 3 trials failed.*max_failure_rate=0.5.*the loss is nan"):
        work(plan, run)
    assert runs == [0, 1, 2]
    with pytest.raises(ConvscopeError, match=r"1 of 1 trials failed"):  # the earlier failures do not count
        work(replace(plan, max_failure_rate=0.1, first=3), run)


def test_failed_trials_run_again_if_this_is_wanted(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, trials=1)
    study = studies.open_study(plan)
    trial_queue.prepare(study, plan, {"x": 0.5, "n": 1}, retry_failed=False)
    with pytest.raises(ConvscopeError):
        work(replace(plan, max_failure_rate=0), lambda trial: Outcome(error="no"))
    trial_queue.prepare(study, plan, {"x": 0.5, "n": 1}, retry_failed=True)
    work(plan, parabola)
    assert [(trial.state.name, trial.params["x"]) for trial in study.trials] == [
        ("FAIL", 0.5),
        ("COMPLETE", 0.5),
    ]


def train(trial: optuna.Trial, losses: list[float], warmup_epochs: int = 0) -> Outcome:
    """Report losses as a training does."""
    with reporting(trial, warmup_epochs):
        report = epoch_report.get()
        assert report is not None
        try:
            for epoch, loss in enumerate(losses, 1):
                report(epoch, loss, epoch == len(losses))
        except Pruned:
            return Outcome(pruned=True)
    assert epoch_report.get() is None
    return Outcome(loss=min(losses))


@pytest.mark.parametrize(("warmup_epochs", "epochs"), [(0, 1), (2, 3), (4, 4)])
def test_a_bad_run_is_pruned_after_the_warm_up(tmp_path: Path, warmup_epochs: int, epochs: int) -> None:
    """Five complete runs give the median; the last epoch is never pruned, because nothing would be saved."""
    plan = plan_in(tmp_path, trials=6)

    def run(trial: optuna.Trial) -> Outcome:
        start = 5.0 if trial.number < 5 else 9.0
        return train(trial, [start, start - 1, start - 2, start - 3], warmup_epochs)

    work(plan, run)
    last = studies.open_study(plan).trials[-1]
    assert last.state is (TrialState.COMPLETE if epochs == 4 else TrialState.PRUNED)
    assert len(last.intermediate_values) == epochs
    assert states(plan)["COMPLETE"] == (6 if epochs == 4 else 5)


def test_a_repetition_is_not_one_of_the_five_complete_trials_before_pruning(tmp_path: Path) -> None:
    """Trial 1 repeats trial 0, so the trials 0, 2, 3, 4 and 5 are never pruned, however bad trial 5 is."""
    plan = plan_in(tmp_path, trials=6)
    study = studies.open_study(plan)
    for _ in range(2):
        study.enqueue_trial({"x": 0.5, "n": 1})

    work(plan, lambda trial: train(trial, [1.0, 1.0] if trial.number < 5 else [9.0, 9.0]))
    own = [trial for trial in study.trials if trial_queue.REPEATS not in trial.user_attrs]
    assert [trial.number for trial in own] == [0, 2, 3, 4, 5, 6]
    assert [trial.state.name for trial in own] == ["COMPLETE"] * 5 + ["PRUNED"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"storage": "study.txt"}, r"study\.txt is neither an address nor a journal file"),
        ({"storage": "nosuch://x"}, r"cannot open the study in nosuch://x"),
        ({"storage": "sqlite:///no/such/folder/x.db"}, r"cannot open the study"),
        ({"sampler": {"_target_": "os.system"}}, r"no sampler 'os\.system'"),
        (
            {"sampler": {"_target_": "optuna.samplers.CmaEsSampler"}},
            r"CmaEsSampler': expected one of optuna\.samplers\.TPESampler, .*RandomSampler, .*QMCSampler$",
        ),
        ({"sampler": {"n_startup": 1}}, r"hydra\.sweeper\.sampler=TPESampler.*n_startup"),
    ],
)
def test_wrong_settings_end_in_one_line(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConvscopeError, match=message) as error:
        studies.open_study(plan_in(tmp_path, **changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", studies.SAMPLERS)
def test_each_sampler_searches(tmp_path: Path, name: str) -> None:
    plan = plan_in(tmp_path, trials=5, sampler={"_target_": f"optuna.samplers.{name}", "seed": 3})
    work(plan, parabola)
    assert len({trial.params["x"] for trial in studies.open_study(plan).trials}) == 5


X, N = FloatDistribution(-1, 1), IntDistribution(1, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"x": CategoricalDistribution(["a", "b"]), "n": N}}, r"has other values of x"),
        ({"space": {"x": FloatDistribution(-1, 2), "n": N}}, r"has other values of x: expected .*high=1\.0"),
        ({"space": {"x": FloatDistribution(-1, 1, step=0.5), "n": N}}, r"has other values of x"),
        ({"space": {"x": X, "n": IntDistribution(4, 6)}}, r"other values of n: .*received .*high=6.*low=4"),
        ({"space": {"x": X}}, r"searches x, n, but this sweep searches x: use the same parameters, or"),
        ({"space": {"x": X, "n": N, "z": X}}, r"searches x, n, but this sweep searches x, n, z: use"),
        ({"fixed": ["b=3", "a=1"]}, r"has the settings a=1 b=2, but this sweep has a=1 b=3: use the same"),
    ],
)
def test_a_study_with_other_settings_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    plan = plan_in(tmp_path, trials=1, fixed=["a=1", "b=2"])
    trial_queue.check(studies.open_study(plan), plan)
    studies.open_study(plan).ask()  # killed before it got settings
    work(plan, parabola)
    again = replace(plan, fixed=["b=2", "a=1"])
    trial_queue.check(studies.open_study(again), again)
    other = replace(plan, **changes)  # type: ignore[arg-type]
    with pytest.raises(ConvscopeError, match=message) as error:
        trial_queue.check(studies.open_study(other), other)
    assert "\n" not in str(error.value)


def test_a_study_with_several_objectives_is_refused(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    storage = JournalStorage(JournalFileBackend(studies.storage_address(plan)))
    optuna.create_study(storage=storage, study_name="test", directions=["minimize", "maximize"])
    with pytest.raises(ConvscopeError, match=r"does not minimize one value"):
        studies.open_study(plan)


WORKER = """
import os, sys, time
from pathlib import Path
from tests.sweep.test_study import parabola, plan_in
from convscope.sweep.search import work

folder, storage = Path(sys.argv[1]), sys.argv[2] or None

def run(trial):
    with open(folder / "runs", "a") as file:
        file.write(f"{trial.params['x']}\\n")
    if trial.number == 4:
        (folder / "pid").write_text(str(os.getpid()))
        (folder / "pid").rename(folder / "victim")
        time.sleep(60)  # until it is killed
    time.sleep(0.05)
    return parabola(trial)

work(plan_in(folder, storage=storage, trials=20), run)
"""


@pytest.mark.parametrize("storage", STORAGES)
def test_two_processes_share_a_search_and_one_is_killed(tmp_path: Path, storage: str | None) -> None:
    arguments = [sys.executable, "-c", WORKER, str(tmp_path), storage or ""]
    workers = [subprocess.Popen(arguments, cwd=ROOT) for _ in range(2)]
    while not (tmp_path / "victim").exists():
        time.sleep(0.05)
        assert any(worker.poll() is None for worker in workers)
    os.kill(int((tmp_path / "victim").read_text()), signal.SIGKILL)
    assert sorted(worker.wait(60) for worker in workers) == [-signal.SIGKILL, 0]
    trials = studies.open_study(plan_in(tmp_path, storage=storage)).trials
    assert Counter(trial.state.name for trial in trials) == {"COMPLETE": 20, "FAIL": 1}
    assert trials[4].state is TrialState.FAIL
    again = [trial for trial in trials if trial.user_attrs.get("retry_of") == 4]
    assert [trial.params for trial in again] == [trials[4].params]
    runs = Counter((tmp_path / "runs").read_text().split())
    assert len(runs) == 20
    assert {settings for settings, count in runs.items() if count > 1} == {str(trials[4].params["x"])}
