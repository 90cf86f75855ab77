"""Kaggle's own client with a local server that answers like Kaggle."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kagglesdk import kaggle_env

from convscope.data.kaggle import fetch
from convscope.data.manifest import open_dataset
from convscope.errors import ConvscopeError
from tests.data.corpus import encoded, scene

ROOM = 1 << 28


@dataclass
class Kaggle:
    """The archives of the server and the requests that it received."""

    archives: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    cut_after: int | None = None  # bytes, for the next download
    port: int = 0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kaggle]:
    state = Kaggle()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            call = self.path.rpartition("/")[2]
            name = body.get("competitionName") or f"{body.get('ownerSlug')}/{body.get('datasetSlug')}"
            state.asked.append(f"{call} {name}")
            state.credentials.append(self.headers.get("Authorization", "none"))
            if call == "IntrospectToken":
                return self.answer(200, json.dumps({"active": True, "username": "somebody"}).encode())
            status = state.status.get(name, 200 if name in state.archives else 404)
            if status != 200:
                return self.answer(status, json.dumps({"code": status, "message": "no"}).encode())
            if call == "GetDataset":
                about = {"currentVersionNumber": 2, "licenseName": "CC0: Public Domain"}
                return self.answer(200, json.dumps(about).encode())
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{state.port}/storage/{name}.zip?signed")
            self.send_header("Content-Length", "0")
            return self.end_headers()

        def do_GET(self) -> None:
            content = state.archives[self.path.removeprefix("/storage/").partition(".zip")[0]]
            start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
            state.asked.append(f"GET from {start}")
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", '"one"')
            self.end_headers()
            end, state.cut_after = state.cut_after, None
            self.wfile.write(content[start:end])
            self.close_connection = True

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = http.server_port
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, f"http://127.0.0.1:{state.port}"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client waits between tries
    yield state
    http.shutdown()
    http.server_close()


def photographs(*paths: str, filling: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        if filling:
            file.writestr("filling.bin", bytes(filling))
        for seed, path in enumerate(paths):
            file.writestr(path, encoded("JPEG", scene(seed=seed), quality=90))
    return buffer.getvalue()


FLOWERS = photographs(*(f"flowers/{name}/{index}.jpg" for name in ("daisy", "rose") for index in range(6)))


LARGE = photographs("a/1.jpg", "b/2.jpg", filling=3 << 20)  # the client asks for a mebibyte at a time


def test_a_public_data_set_is_downloaded_once_without_credentials(server: Kaggle, tmp_path: Path) -> None:
    server.archives["owner/flowers"] = FLOWERS
    first = fetch("owner/flowers", tmp_path / "downloads", largest=ROOM)
    assert first.about == {
        "url": "https://www.kaggle.com/datasets/owner/flowers",
        "version": 2,
        "licence": "CC0: Public Domain",
    }
    assert len(list(first.folder.glob("flowers/*/*.jpg"))) == 12
    assert server.asked == ["GetDataset owner/flowers", "DownloadDataset owner/flowers", "GET from 0"]
    assert set(server.credentials) == {"none"}
    assert fetch("owner/flowers", tmp_path / "downloads", largest=ROOM) == first
    assert len(server.asked) == 3
    names = {path.name for path in (tmp_path / "downloads" / "datasets" / "owner" / "flowers").iterdir()}
    assert names == {"about.json", "download.json", "files"}


def test_credentials_are_used_where_kaggles_client_finds_them(
    server: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.archives["owner/flowers"] = FLOWERS
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")
    fetch("owner/flowers", tmp_path, largest=ROOM)
    assert server.credentials[-1] == "Bearer a-token"


def test_a_broken_download_is_resumed(server: Kaggle, tmp_path: Path) -> None:
    server.archives["owner/flowers"] = LARGE
    server.cut_after = (2 << 20) + 7
    download = fetch("owner/flowers", tmp_path, largest=ROOM)
    assert server.asked[-2:] == ["GET from 0", f"GET from {2 << 20}"]
    assert len(list(download.folder.rglob("*.jpg"))) == 2


def test_a_killed_download_is_resumed_by_the_next_run(
    server: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.archives["owner/flowers"] = LARGE
    server.cut_after = (2 << 20) + 7

    def die(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", die)
        with pytest.raises(KeyboardInterrupt):
            fetch("owner/flowers", tmp_path, largest=ROOM)
    assert len(list(fetch("owner/flowers", tmp_path, largest=ROOM).folder.rglob("*.jpg"))) == 2
    assert server.asked[-1] == f"GET from {2 << 20}"


def test_a_run_killed_while_unpacking_does_not_download_again(
    server: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.archives["owner/flowers"] = FLOWERS

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("convscope.data.kaggle.unpack", die)
        with pytest.raises(KeyboardInterrupt):
            fetch("owner/flowers", tmp_path, largest=ROOM)
    asked = len(server.asked)
    assert len(list(fetch("owner/flowers", tmp_path, largest=ROOM).folder.rglob("*.jpg"))) == 12
    assert len(server.asked) == asked


def test_a_damaged_archive_is_removed_and_downloaded_again(server: Kaggle, tmp_path: Path) -> None:
    server.archives["owner/flowers"] = FLOWERS[:4000]
    with pytest.raises(ConvscopeError, match=r"damaged.*removed"):
        fetch("owner/flowers", tmp_path, largest=ROOM)
    server.archives["owner/flowers"] = FLOWERS
    assert len(list(fetch("owner/flowers", tmp_path, largest=ROOM).folder.rglob("*.jpg"))) == 12


def test_an_archive_that_is_refused_is_kept_whatever_the_names_in_it(server: Kaggle, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("../damaged.jpg", b"")
    server.archives["owner/flowers"] = buffer.getvalue()
    for _ in range(2):
        with pytest.raises(ConvscopeError, match="outside"):
            fetch("owner/flowers", tmp_path, largest=ROOM)
    assert server.asked.count("GET from 0") == 1


def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")


@pytest.mark.parametrize(
    ("slug", "status", "prepare", "said"),
    [
        ("owner/nothing", 404, None, "no page https://www.kaggle.com/datasets/owner/nothing"),
        ("dogs-vs-cats", 401, None, r"no credentials.*https://www\.kaggle\.com/settings"),
        ("dogs-vs-cats", 403, None, "no credentials"),
        ("dogs-vs-cats", 403, with_token, r"rules.*https://www\.kaggle\.com/competitions/dogs-vs-cats/rules"),
        ("owner/private", 403, with_token, "with your credentials"),
        ("owner/flowers", 500, None, "Kaggle answered 500"),
        ("../../etc", 200, None, "expected OWNER/NAME"),
        ("a/b/c", 200, None, "expected OWNER/NAME"),
    ],
)
def test_each_refusal_is_an_error_of_one_line_with_a_fix(
    server: Kaggle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    slug: str,
    status: int,
    prepare: Callable[[pytest.MonkeyPatch], None] | None,
    said: str,
) -> None:
    server.status[slug] = status
    if prepare:
        prepare(monkeypatch)
    with pytest.raises(ConvscopeError, match=said) as error:
        fetch(slug, tmp_path, largest=ROOM)
    assert "\n" not in str(error.value)


def test_a_missing_server_is_an_error_of_one_line(
    server: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9")
    with pytest.raises(ConvscopeError, match="check the connection"):
        fetch("owner/flowers", tmp_path, largest=ROOM)


def test_stage_1_makes_the_flowers_data_set_from_kaggle(
    server: Kaggle, tmp_path: Path, command: Callable
) -> None:
    server.archives["alxmamaev/flowers-recognition"] = FLOWERS
    done = command("create_train_val_test", "dataset=flowers")
    assert done.status == 0, done.err
    manifest = open_dataset(tmp_path / "data" / "flowers")
    assert manifest.classes == ["daisy", "rose"]
    assert manifest.source == {
        "url": "https://www.kaggle.com/datasets/alxmamaev/flowers-recognition",
        "version": 2,
        "licence": "CC0: Public Domain",
    }
    first = manifest.images[0]
    assert first.source.startswith(f"{manifest.source['url']}/flowers/")
    assert str(tmp_path) not in (tmp_path / "data" / "flowers" / "manifest.json").read_text()


def test_stage_1_makes_cats_vs_dogs_from_nested_archives(
    server: Kaggle, tmp_path: Path, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = photographs(*(f"train/{name}.{index}.jpg" for name in ("cat", "dog") for index in range(5)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("train.zip", inner)
        file.writestr("test1.zip", photographs("test1/1.jpg", "test1/2.jpg"))
        file.writestr("sampleSubmission.csv", "id,label\n1,0\n")
    server.archives["dogs-vs-cats"] = buffer.getvalue()
    with_token(monkeypatch)
    assert command("create_train_val_test", "dataset=cats_vs_dogs").status == 0
    manifest = open_dataset(tmp_path / "data" / "cats_vs_dogs")
    assert manifest.classes == ["cat", "dog"]
    assert len(manifest.images) == 10
    assert {each["reason"] for each in manifest.rejected} == {"no class"}
    assert manifest.source["licence"].endswith("/competitions/dogs-vs-cats/rules")


def test_cats_vs_dogs_can_have_class_folders(server: Kaggle, tmp_path: Path, command: Callable) -> None:
    server.archives["owner/pets"] = photographs(
        *(f"PetImages/{name}/{index}.jpg" for name in ("Cat", "Dog") for index in range(5))
    )
    done = command("create_train_val_test", "dataset=cats_vs_dogs", "dataset.kaggle=owner/pets")
    assert done.status == 0, done.err
    assert open_dataset(tmp_path / "data" / "cats_vs_dogs").classes == ["Cat", "Dog"]
