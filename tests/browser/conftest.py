"""A browser for the tests of the page, and pages to look at."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.images import save_png
from convscope.sweep.record import Record, State
from convscope.sweep.results import as_csv
from tests.conftest import run_script

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = '"><img src=x onerror=hacked=1>.png'


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system, without a window and without requests of its own."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: install the group dev")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        opened.close()


class Explorer:
    """A page of a run, opened from disk; `faults` collects what must not happen.

    Faults are messages on the console, errors, and requests for anything but files of the run.
    """

    def __init__(self, browser: Any, run: Path, **options: Any) -> None:
        self.run, self.faults = run, list[str]()
        options = {"viewport": {"width": 1440, "height": 900}, **options}
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._check_request)

    def _check_request(self, request: Any) -> None:
        if not request.url.startswith((f"{self.run.as_uri()}/", "data:", "blob:")):
            self.faults.append(request.url)

    def open(self, route: str = "") -> Any:
        """Load the page at a route, and return Playwright's page."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.run.as_uri()}/index.html#/{route}")
        self.page.wait_for_selector("body[data-ready]")
        return self.page

    def arrive(self, act: Callable[[], Any]) -> None:
        """Do something that leads to another route or state, and wait until it is shown."""
        before = self.page.evaluate("document.body.dataset.ready")
        act()
        self.page.wait_for_function("before => document.body.dataset.ready !== before", arg=before)

    @property
    def heading(self) -> str:
        return str(self.page.locator("main h1").inner_text())

    @property
    def route(self) -> str:
        return str(self.page.evaluate("location.hash"))


@pytest.fixture
def explore(browser: Any) -> Iterator[Callable[..., Explorer]]:
    """Return a function that opens a run; at the end there must be no fault."""
    opened: list[Explorer] = []

    def start(run: Path, **options: Any) -> Explorer:
        opened.append(Explorer(browser, run, **options))
        return opened[-1]

    yield start
    for explorer in opened:
        explorer.context.close()
        assert explorer.faults == []


@pytest.fixture(scope="session")
def drawn(browser: Any, trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every part of the page, of a tiny convnet; one photograph has a hostile name."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    for label, name, low in (("dark", HOSTILE, 0), ("light", "bright.png", 160)):
        save_png(folder / label / name, rng.integers(low, low + 90, (24, 32, 3)).astype(np.uint8))
    views = "views=[layers,activations,class_activation,filters,channels]"
    given = [
        f"checkpoint={trained_folder / 'donor'}",
        f"images=[{folder / 'dark'},{folder / 'light'}]",
        views,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained_folder)
        methods = ["class_activation.method=[hires_cam,eigen_cam]", "class_activation.classes=[dark,light]"]
        options = ["filters.steps=2", "filters.cache=''", "activations.save_arrays=float32"]
        options.append("activations.before_activation=true")
        assert run_script("visualize", *given, *methods, *options, f"hydra.run.dir={folder / 'run'}") == 0
    return folder / "run"


@pytest.fixture(scope="session")
def compared(browser: Any, trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two models."""
    folder = tmp_path_factory.mktemp("compared")
    given = ["compare=[random,donor]", "images=photos/light/2.png", "views=[activations]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained_folder)
        assert run_script("visualize", *given, f"hydra.run.dir={folder / 'run'}") == 0
    return folder / "run"


@pytest.fixture(scope="session")
def swept(browser: Any, trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the two best models of a sweep of three; its runs are copies of one training."""
    folder = tmp_path_factory.mktemp("swept")
    records = []
    for number, (units, loss) in enumerate([("2", 0.5), ("10", 0.25), ("3", 0.75)]):
        run = folder / f"sweep/units={units}"
        shutil.copytree(trained_folder / "donor", run)
        scores = {"validation": {"loss": loss, "accuracy": 0.5, "accuracy_95": [0.25, 0.75]}}
        swept = {"model.units": units}
        records.append(Record(run, number, [], swept, state=State.finished, scores=scores))
        records[-1].write()
    (folder / "sweep/results.csv").write_text(as_csv(records))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained_folder)
        patch.setattr("convscope.sweep.best_runs.MOST", 2)
        given = [f"compare={folder / 'sweep'}", "images=photos/light/2.png", "views=[activations]"]
        assert run_script("visualize", *given, f"hydra.run.dir={folder / 'run'}") == 0
    return folder / "run"
