"""Every command can be stopped at any moment: nothing is lost, and the same command then succeeds.

Commands are killed at calls that create, rename or delete something, and by signals at random times.
"""

import io
import json
import re
import shutil
import signal
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.images import save_png
from tests.fork_server import Command, Done, Point, Server, Signals, distinct

Contents = dict[str, bytes | None]
DATA = ("dataset=folder", "dataset.name=two")
MAKE = ("create_train_val_test", *DATA, "dataset.source=photos")
TRAIN = ("train", *DATA, "augmentation=none", "training.deterministic=true")
SMALL = (*TRAIN, "model.input_size=32", "model.widths=[4]", "model.units=4")
DONOR = (*SMALL, "training.epochs=1", "hydra.run.dir=donor")
ONE_PHASE = (*SMALL, "training.epochs=2", "callbacks=[snapshots]", "hydra.run.dir=run")
TWO_PHASES = (
    *TRAIN, "training.epochs=1", "model=pretrained_file", "model.file=donor/model.keras",
    "finetune=two_phase", "finetune.head_epochs=1", "hydra.run.dir=run",
)  # fmt: skip
DRAW = ("visualize", "images=[photos/dark/0.png]", "filters.size=16", "filters.steps=1", "hydra.run.dir=out")
ONE_MODEL = (*DRAW, "checkpoint=donor", "views=[layers,class_activation,filters]")
COMPARE = (*DRAW, "compare=[random,donor]", "views=[layers]")
FEW_VIEWS = (*DRAW, "checkpoint=donor", "views=[layers,activations]")


@dataclass(frozen=True)
class Scenario:
    """A command, the commands before it, the folder of its result, and the points of the short test.

    The last earlier command is killed at the first point whose text contains `killed_at`.
    """

    command: Command
    result: str
    earlier: tuple[Command, ...] = ()
    few: tuple[str, ...] = ()
    killed_at: str = ""


SCENARIOS = {
    "stage 1, new": Scenario(MAKE, "data/two", few=("rename data/two (",)),
    "stage 1, drawn": Scenario(
        ("create_train_val_test", "dataset=procedural", "dataset.classes=[rose,daisy]",
         "dataset.images_per_class=3", "dataset.image_size=32"),
        "data/procedural",
    ),
    "stage 1, overwrite": Scenario(
        (*MAKE, "split.seed=1", "overwrite=true"), "data/two", (MAKE,),
        few=("dlsym", "os.remove data/.two.partial/manifest.json"),
    ),
    "stage 1, extend": Scenario(
        ("create_train_val_test", *DATA, "dataset.source=more", "split=extend"), "data/two", (MAKE,),
        few=("dlsym",),
    ),
    "training, one phase": Scenario(
        ONE_PHASE, "run", (MAKE,), few=("remove run/state.npz",)
    ),
    "training, two phases": Scenario(TWO_PHASES, "run", (MAKE, DONOR)),
    "training, resumed": Scenario(
        (*ONE_PHASE, "resume=true"), "run", (MAKE, ONE_PHASE), killed_at="rename run/snapshots/epoch_002"
    ),
    "stage 3, new": Scenario(ONE_MODEL, "out", (MAKE, DONOR)),
    "stage 3, compare": Scenario(COMPARE, "out", (MAKE, DONOR)),
    "stage 3, overwrite": Scenario(
        (*ONE_MODEL, "overwrite=true"), "out", (MAKE, DONOR, FEW_VIEWS), few=("remove .out.partial/",)
    ),
    "stage 3, compare and overwrite": Scenario(
        (*COMPARE, "overwrite=true"), "out", (MAKE, DONOR, FEW_VIEWS)
    ),
}  # fmt: skip


SIGNALS = [(signal.SIGKILL,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)]
RANDOM = [
    "stage 1, drawn", "stage 1, overwrite", "training, one phase", "training, two phases", "stage 3, new",
    "stage 3, overwrite",
]  # fmt: skip


@dataclass
class Workplace:
    """A folder in which commands run, and copies of it after the earlier commands of scenarios."""

    server: Server
    folder: Path
    saved: dict[tuple[Command, ...], Path] = field(default_factory=dict)
    one_core: bool = True  # the results of a training depend on it

    def run(self, command: Command, stop: Point | Signals | None = None) -> Done:
        return self.server.run(self.folder, command, stop=stop, one_core=self.one_core)[0]

    def begin(self, scenario: Scenario) -> None:
        """Bring the folder to its state after the earlier commands of a scenario."""
        key = (*scenario.earlier, (scenario.killed_at,))
        shutil.rmtree(self.folder, ignore_errors=True)
        if key not in self.saved:
            write_pictures(self.folder)
            self._run_earlier(scenario)
            self.saved[key] = self.folder.rename(self.folder.with_name(f"saved{len(self.saved)}"))
        shutil.copytree(self.saved[key], self.folder)

    def _run_earlier(self, scenario: Scenario) -> None:
        for command in scenario.earlier:
            done = self.run(command)
            assert done.status == 0, done.printed
        if scenario.killed_at:
            shutil.rmtree(self.folder / scenario.result)
            point = next(point for point in done.points if scenario.killed_at in str(point))
            assert self.run(scenario.earlier[-1], point).status == -signal.SIGKILL


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("commands").resolve()
    server = Server(folder)
    yield Workplace(server, folder / "work")
    server.close()


def write_pictures(folder: Path) -> None:
    """Write four pictures for each of two classes into `photos`, and two others into `more`."""
    pixels = np.random.default_rng(0).integers(0, 90, (12, 24, 32, 3)).astype(np.uint8)
    for index, picture in enumerate(pixels):
        label, low = ("dark", 0) if index % 2 else ("light", 160)
        source = "photos" if index < 8 else "more"
        save_png(folder / source / label / f"{index // 2}.png", picture + np.uint8(low))


def contents(folder: Path) -> Contents:
    """Return the files of a folder and their contents without times; the content of a folder is None."""
    found: Contents = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = path.read_bytes() if path.is_file() else None
        if path.suffix == ".keras" and zipfile.is_zipfile(path):
            found[name] = zipfile.ZipFile(path).read("model.weights.h5")
        elif path.suffix == ".json":
            found[name] = re.sub(rb'"modified": \d+', b"", path.read_bytes())
    return found


def visible(found: Contents) -> Contents:
    """Return the contents without hidden files and without empty folders."""
    files = {path: content for path, content in found.items() if content is not None}
    return {path: content for path, content in files.items() if not Path(path).name.startswith(".")}


def check_files(folder: Path) -> None:
    """Raise an error unless every visible file is complete."""
    for path in folder.rglob("[!.]*"):
        if path.suffix in (".keras", ".npz"):
            assert zipfile.ZipFile(path).testzip() is None
        elif path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix in (".png", ".jpg"):
            Image.open(io.BytesIO(path.read_bytes())).load()
        elif path.is_file():
            assert path.read_bytes()


def fault(workplace: Workplace, scenario: Scenario, new: Contents, stop: Point | Signals) -> str | None:
    """Stop the command, and repeat it; return what is wrong, or None.

    `new` is the contents of the folder after the command if it is not stopped.
    """
    workplace.begin(scenario)
    result = workplace.folder / scenario.result
    old = visible(contents(result))
    stopped = workplace.run(scenario.command, stop)
    expected = {-signal.SIGKILL} if isinstance(stop, Point) else {-signal.SIGKILL, 128 + signal.SIGINT, 0}
    if stopped.status not in expected or "Traceback" in stopped.printed:
        return f"{stop}: status {stopped.status}, {stopped.printed.strip().splitlines()[-1:]}"
    left, whole = visible(contents(result)), visible(below(scenario.result, new))
    check_files(workplace.folder)
    if scenario.result != "run" and old and left not in (old, whole):
        return f"{stop}: neither the old nor the new result"
    again = workplace.run(scenario.command)
    if again.status and not (left.items() >= whole.items() and "already" in again.printed):
        return f"{stop}: {again.printed.strip().splitlines()[-1]}"
    after = contents(workplace.folder)
    differ = sorted(path for path in after.keys() | new.keys() if after.get(path, 0) != new.get(path, 0))
    return f"{stop}: {', '.join(differ)} differ" if differ else None


def below(folder: str, found: Contents) -> Contents:
    """Return the contents of a folder in the contents of its parent folder."""
    return {
        path.removeprefix(f"{folder}/"): content
        for path, content in found.items() if path.startswith(f"{folder}/")
    }  # fmt: skip


def finished(workplace: Workplace, scenario: Scenario) -> Done:
    """Run the command of a scenario without a stop."""
    workplace.begin(scenario)
    done = workplace.run(scenario.command)
    assert done.status == 0, done.printed
    return done


@pytest.mark.parametrize("which", ["few", pytest.param("all", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_command_killed_at_a_file_operation_can_be_repeated(
    workplace: Workplace, name: str, which: str
) -> None:
    scenario = SCENARIOS[name]
    if which == "few" and not scenario.few:
        pytest.skip("at all points only, in make test-all")
    points = distinct(finished(workplace, scenario).points)
    new = contents(workplace.folder)
    if which == "few":
        points = [next(point for point in points if text in str(point)) for text in scenario.few]
    faults = [text for point in points if (text := fault(workplace, scenario, new, point))]
    print(f"{name}: {len(points)} kills, {len(faults)} faults")
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("name", RANDOM)
def test_a_command_stopped_by_signals_at_a_random_time_can_be_repeated(
    workplace: Workplace, name: str
) -> None:
    scenario = SCENARIOS[name]
    workplace = replace(workplace, one_core=False)
    started = time.monotonic()
    finished(workplace, scenario)
    duration = time.monotonic() - started
    new = contents(workplace.folder)
    delays = np.random.default_rng(len(name)).uniform(0, duration, 10)
    stops = [Signals(SIGNALS[index % len(SIGNALS)], delay) for index, delay in enumerate(delays)]
    faults = [text for stop in stops if (text := fault(workplace, scenario, new, stop))]
    print(f"{name}: {len(stops)} stops, {len(faults)} faults")
    assert not faults, "\n".join(faults)
