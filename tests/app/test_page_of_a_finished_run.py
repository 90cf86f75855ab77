"""`views=[page]` and `serve=RUN`: the page of a finished run, without TensorFlow."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convscope.app.visualize.rebuild import rebuild, with_results
from convscope.app.visualize.serve import server_of
from convscope.errors import ConvscopeError
from convscope.files import read_json, sha256, write_bytes, write_json
from convscope.render.page import FORMAT
from tests.conftest import ROOT, Outcome, run_script, shown_on_page

Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def finished(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `out` of a trained model; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("finished")
    photo = trained_folder / "photos/light/2.png"
    given = [f"checkpoint={trained_folder / 'donor'}", f"images={photo}", "views=[activations]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_script("visualize", *given, "hydra.run.dir=out") == 0
    return folder


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished / "out", tmp_path / "out")
    return tmp_path / "out"


def test_the_page_is_the_same_when_it_is_built_again(command: Command, out: Path) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "index.html").unlink()
    (out / "page/main.js").write_text("of an earlier version")
    done = command("visualize", "views=[page]", "hydra.run.dir=out")
    assert done.status == 0, done.err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_results_stay_on_the_page_when_the_run_of_the_training_is_gone(command: Command, out: Path) -> None:
    before = shown_on_page(out)["training"]
    assert before["metrics"]
    page = json.loads((out / "page.json").read_text("utf-8"))
    (out / "page.json").write_text(json.dumps(page | {"checkpoints": ["gone/model.keras"]}))
    assert command("visualize", "views=[page]", "hydra.run.dir=out").status == 0
    assert shown_on_page(out)["training"] == before


def test_tensorflow_is_not_imported(out: Path) -> None:
    code = (
        "import sys; sys.argv = ['visualize.py', 'views=[page]', 'hydra.run.dir=out']\n"
        "import runpy\n"
        f"try: runpy.run_path({str(ROOT / 'visualize.py')!r}, run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=out.parent, env=environment, check=True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["views=[page]"], "has no page.json: views=[page] builds the page of a finished run again"),
        (["views=[page,filters]"], "every run writes its page; remove page"),
        (["serve=nowhere"], "serve=nowhere: no index.html there; expected a run directory of stage 3"),
    ],
)
def test_what_is_not_a_finished_run_is_refused(command: Command, given: list[str], said: str) -> None:
    done = command("visualize", *given)
    assert done.status == 1
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not list(Path().iterdir())


def test_a_malformed_page_is_refused(command: Command, out: Path) -> None:
    (out / "page.json").write_text("[]")
    done = command("visualize", "views=[page]", "hydra.run.dir=out")
    assert done.status == 1
    assert "out/page.json: expected the file that stage 3 wrote" in done.err


def test_a_page_of_another_version_is_refused(by_hand: Path) -> None:
    saved = read_json(by_hand / "page.json")
    for other in ({**saved, "format": FORMAT + 1}, {key: saved[key] for key in saved if key != "format"}):
        write_json(by_hand / "page.json", other)
        with pytest.raises(ConvscopeError, match="was drawn by another version of convscope"):
            rebuild(by_hand)
        assert not (by_hand / "index.html").exists()


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    """The run directory of a page without pictures, as `views=[page]` reads it."""
    keys = ("layers", "photographs", "views", "artifacts", "models", "checkpoints")
    saved = {"format": FORMAT, "title": "t", **{key: [] for key in keys}, "checkpoints": ["gone"]}
    saved["models"] = ["m"]
    write_json(tmp_path / "run/page.json", saved)
    write_json(tmp_path / "run/manifest.json", {"files": [], "models": [{"sha256": "gone"}]})
    return tmp_path / "run"


def test_a_page_made_by_hand_is_built(by_hand: Path) -> None:
    rebuild(by_hand)
    rebuild(by_hand)
    paths = [entry["path"] for entry in read_json(by_hand / "manifest.json")["files"]]
    assert len(set(paths)) == len(paths)
    assert {"index.html", "page.json", "page/index.js"} <= set(paths)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", {}),
        ("manifest.json", []),
        ("manifest.json", {"files": [{}], "models": []}),
        ("manifest.json", {"files": [], "models": [{}]}),
        ("page.json", {"format": FORMAT, "checkpoints": ["gone"], "models": ["m"]}),
        ("page.json", {"format": FORMAT, "checkpoints": [], "models": []}),
        ("page.json", []),
    ],
)
def test_damaged_files_are_refused_before_anything_is_written(
    by_hand: Path, name: str, content: object
) -> None:
    write_json(by_hand / name, content)
    before = {path: path.read_bytes() for path in by_hand.rglob("*")}
    with pytest.raises(
        ConvscopeError, match=rf"malformed .*run/{name}: expected the file that stage 3 wrote"
    ):
        rebuild(by_hand)
    assert {path: path.read_bytes() for path in by_hand.rglob("*")} == before


def test_results_of_other_weights_are_not_shown(by_hand: Path, tmp_path: Path) -> None:
    """The run of the training was continued after the page was drawn."""
    model = tmp_path / "training/model.keras"
    write_bytes(model, b"drawn")
    saved = read_json(by_hand / "page.json") | {"checkpoints": [str(model)]}
    write_json(by_hand / "page.json", saved)
    write_json(by_hand / "manifest.json", {"files": [], "models": [{"sha256": sha256(model)}]})
    for weights, accuracy in ((b"drawn", 0.5), (b"continued", 0.9)):
        write_bytes(model, weights)
        write_json(model.with_name("metrics.json"), {"test": {"accuracy": accuracy}})
        rebuild(by_hand)
        assert read_json(by_hand / "page.json")["training"]["metrics"]["test"] == {"accuracy": 0.5}


def test_results_of_other_weights_are_not_compared(tmp_path: Path) -> None:
    compared = {"layers": [], "photographs": [], "artifacts": [], "models": ["a", "b"]}
    compared |= {"checkpoints": ["gone", "gone"]}
    first = with_results(compared, [{"metrics": {"test": {"accuracy": accuracy}}} for accuracy in (0.5, 0.7)])
    second = with_results(first, [{}, {"metrics": {"test": {"accuracy": 0.8}}}])
    assert [run["metrics"]["test"]["accuracy"] for run in second["runs"]] == [0.5, 0.8]


def test_files_outside_of_the_run_are_not_replaced(by_hand: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "mine/index.js", "mine")
    (by_hand / "page").symlink_to(tmp_path / "mine")
    with pytest.raises(ConvscopeError, match=r"run/page is a symbolic link to another folder"):
        rebuild(by_hand)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["index.js"]
    assert read_json(tmp_path / "mine/index.js") == "mine"


@pytest.fixture
def address(by_hand: Path) -> Iterator[tuple[str, int]]:
    rebuild(by_hand)
    (by_hand.parent / "secret.txt").write_text("secret")
    (by_hand / "link.txt").symlink_to(by_hand.parent / "secret.txt")
    (by_hand / "folder").symlink_to(by_hand.parent)
    with server_of(by_hand) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


def get(address: tuple[str, int], path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*address)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_the_server_has_the_files_of_the_run_and_no_others(address: tuple[str, int]) -> None:
    for path in ("/", "/index.html", "/page/index.js"):
        answer = get(address, path)
        assert (answer.status, answer.headers["Cross-Origin-Resource-Policy"]) == (200, "same-origin")
    outside = ("/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "/folder/secret.txt", "/page/", "/%00")
    for path in outside:
        answer = get(address, path)
        assert answer.status == 404, path
        assert b"secret" not in answer.read().replace(path.encode(), b"")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 200),
        ({"Host": "127.0.0.1:9", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),  # typed by the user
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
    ],
)
def test_only_the_page_itself_reads_its_files(
    address: tuple[str, int], headers: dict[str, str], status: int
) -> None:
    assert get(address, "/page/index.js", **headers).status == status


def test_two_pages_can_be_served_at_the_same_time(by_hand: Path) -> None:
    rebuild(by_hand)
    with server_of(by_hand) as one, server_of(by_hand) as other:
        assert one.server_port != other.server_port
        assert one.server_address[0] == other.server_address[0] == "127.0.0.1"


def test_a_folder_without_a_page_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"no index\.html there"):
        server_of(tmp_path)
