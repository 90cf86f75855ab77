"""Two commands that start at the same instant: results are not mixed; a refused command says why."""

import zipfile
from dataclasses import dataclass

import pytest

from tests.app.test_stopped_commands import (
    DONOR,
    DRAW,
    MAKE,
    SMALL,
    Scenario,
    Workplace,
    contents,
    workplace,
)
from tests.fork_server import Command, Done

__all__ = ["workplace"]  # the fixture
ROUNDS = 5
TRAIN = (*SMALL, "training.epochs=1")
VIEWS = (*DRAW, "checkpoint=donor")


@dataclass(frozen=True)
class Pair:
    """Two commands that write to the same folder, the commands before them, what the refused one prints."""

    first: Command
    second: Command
    earlier: tuple[Command, ...]
    refused: tuple[str, ...]


LOCKED = "error: another run is writing "
PAIRS = {
    "stage 1, identical": Pair(MAKE, MAKE, (), (LOCKED,)),
    "stage 1, different": Pair(
        MAKE, (*MAKE, "split.seed=1"), (), (LOCKED, "error: data/two exists with other settings")
    ),
    "training, identical": Pair(
        (*TRAIN, "hydra.run.dir=run"), (*TRAIN, "hydra.run.dir=run"), (MAKE,), (LOCKED, "already holds")
    ),
    "training, different": Pair(
        (*TRAIN, "hydra.run.dir=run"), (*TRAIN, "seed=1", "hydra.run.dir=run"), (MAKE,),
        (LOCKED, "already holds"),
    ),
    "stage 3, identical": Pair(
        (*VIEWS, "views=[layers]"), (*VIEWS, "views=[layers]"), (MAKE, DONOR), (LOCKED, "already has a page")
    ),
    "stage 3, different": Pair(
        (*VIEWS, "views=[layers]"), (*VIEWS, "views=[filters]"), (MAKE, DONOR), (LOCKED, "already has a page")
    ),
}  # fmt: skip


def start_together(workplace: Workplace, *commands: Command, earlier: tuple[Command, ...]) -> list[Done]:
    """Run commands at the same time in the folder after the earlier commands."""
    workplace.begin(Scenario(commands[0], "", earlier))
    return workplace.server.run(workplace.folder, *commands)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_the_results_of_two_commands_are_not_mixed(workplace: Workplace, name: str) -> None:
    pair = PAIRS[name]
    alone = []
    for command in (pair.first, pair.second):
        (done,) = start_together(workplace, command, earlier=pair.earlier)
        assert done.status == 0, done.printed
        alone.append(contents(workplace.folder))
    for _ in range(ROUNDS):
        both = start_together(workplace, pair.first, pair.second, earlier=pair.earlier)
        statuses = [done.status for done in both]
        assert 0 in statuses, both[0].printed
        assert contents(workplace.folder) == alone[statuses.index(0)]
        for done in both:
            last = done.printed.splitlines()[-1]
            if done.status:
                assert any(text in last for text in pair.refused), done.printed
                assert done.printed.count("error:") == 1
            elif statuses == [0, 0]:  # the second command of stage 1 may find the data set complete
                assert name == "stage 1, identical"


@pytest.mark.slow
def test_two_trainings_at_the_same_instant_have_two_directories(workplace: Workplace) -> None:
    commands = [(*TRAIN, f"model.widths=[{width}]", "hydra.run.dir=runs/${now:%Y}") for width in (3, 5)]
    for _ in range(ROUNDS):
        both = start_together(workplace, *commands, earlier=(MAKE,))
        assert [done.status for done in both] == [0, 0], both[0].printed
        runs = sorted((workplace.folder / "runs").iterdir())
        assert [run.name for run in runs] == [runs[0].name, f"{runs[0].name}-2"]
        for run in runs:
            assert {"model.keras", "metrics.json", "config.yaml"} < {path.name for path in run.iterdir()}
            assert not (run / ".lock").exists()
            width = (run / "config.yaml").read_text().split("widths:\n  - ")[1].split("\n")[0]
            network = zipfile.ZipFile(run / "model.keras").read("config.json").decode()
            assert f'"filters": {width}' in network
