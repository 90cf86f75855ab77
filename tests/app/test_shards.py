"""Stage 3 in shards: each draws a part of the photographs, the last one merges the pages."""

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.app.visualize.shards import hash_of_list, merge
from convscope.config.registry import to_yaml
from convscope.config.schema.visualize import VisualizeConfig, visualize_schema
from convscope.errors import ConvscopeError
from convscope.files import write_json, write_text
from convscope.render.page import Page, write_page
from tests.conftest import Outcome, files_on_page, shown_on_page

Command = Callable[..., Outcome]
DRAW = ["views=[layers,class_activation,activations]", "activations.layers=[conv2d_1]"]


def rows(table: Path) -> list[list[str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return sorted(csv.reader(file))


def test_shards_draw_what_one_run_draws_and_are_drawn_once(command: Command, trained_folder: Path) -> None:
    photos = sorted((trained_folder / "photos").rglob("*.png"))[8:13]  # of both classes
    images = f"images=[{','.join(map(str, photos))}]"
    draw = [f"checkpoint={trained_folder / 'donor'}", images, *DRAW]
    assert command("visualize", *draw, "hydra.run.dir=whole").status == 0
    one = command("visualize", "-m", *draw, "shard=1", "shards=2", "hydra.sweep.dir=parts")
    assert one.status == 0, one.err
    assert "shard_1 is complete; the page follows after shard_0" in one.out
    assert not Path("parts/index.html").exists()
    drawn = Path("parts/shard_1/index.html").stat().st_mtime_ns
    both = command("visualize", "-m", *draw, "shard=0,1", "shards=2", "hydra.sweep.dir=parts")
    assert both.status == 0, both.err
    assert "note: only shard 0 draws layers, which do not depend on the photographs" in both.out
    assert Path("parts/shard_1/index.html").stat().st_mtime_ns == drawn
    page, whole = shown_on_page("parts"), shown_on_page("whole")
    files = files_on_page("parts")
    assert [path for path in files if not (Path("parts") / path).is_file()] == []
    photographs = [photograph["key"] for photograph in page["photographs"]]
    assert photographs == [photograph["key"] for photograph in whole["photographs"]]
    assert len(photographs) == 5
    shown = {(re.sub(r"^shard_\d/", "", path), file.get("key")) for path, file in files.items()}
    assert shown == {(path, file.get("key")) for path, file in files_on_page("whole").items()}
    assert "-m shard=0,1 shards=2" in page["command"]
    assert rows(Path("parts/activations/summary.csv")) == rows(Path("whole/activations/summary.csv"))
    of_whole = {entry["path"] for entry in json.loads(Path("whole/manifest.json").read_text())["files"]}
    listed = [entry["path"] for entry in json.loads(Path("parts/manifest.json").read_text())["files"]]
    parts = {re.sub(r"^shard_\d/", "", path) for path in listed}
    assert parts == of_whole
    for path in listed:
        other = Path("whole", re.sub(r"^shard_\d/", "", path))
        if re.search(r"(class_activation|photographs)/.*\.(npy|jpg)$", path):
            assert Path("parts", path).read_bytes() == other.read_bytes()


def shard_of(config: VisualizeConfig, photographs: list[str], *tables: str) -> Path:
    """Write what a complete shard has, without drawing it."""
    folder = Path("parts", f"shard_{config.shard}")
    page = Page(
        title=f"shard {config.shard}",
        facts=[],
        models=["small_convnet"],
        checkpoints=["model.keras"],
        input_size=(8, 8),
        classes=[],
        layers=[],
        photographs=[],
        views=[],
        artifacts=[],
        program="python visualize.py",
        model_options="",
        command="python visualize.py shard=0 shards=2",
        versions={},
        color_maps={},
    )
    saved = {**page.to_json(), "list": hash_of_list([Path(path) for path in photographs])}
    write_json(folder / "page.json", saved)
    write_text(folder / "config.yaml", to_yaml(config))
    listed = [{"path": table} for table in tables]
    write_json(
        folder / "manifest.json", {"models": [{"sha256": ""}], "seed": 0, "versions": {}, "files": listed}
    )
    return folder


def settings(shard: int, **changes: Any) -> VisualizeConfig:
    return visualize_schema()(shard=shard, shards=2, **changes)


def test_shards_with_other_settings_are_missing_until_they_are_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shard_of(settings(1, seed=1), ["a", "b"])
    first = shard_of(settings(0), ["a", "b"])
    with pytest.raises(
        ConvscopeError, match=r"shard_1 was drawn with other settings: use the same ones, set"
    ):
        merge(settings(0), first)
    assert merge(settings(0, overwrite=True), first) is None
    assert capsys.readouterr().out == "shard_0 is complete; the page follows after shard_1\n"
    second = shard_of(settings(1, overwrite=True), ["a", "b"])
    assert merge(settings(1, overwrite=True), second) == Path("parts/index.html")


def test_shards_that_saw_other_photographs_are_not_merged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    old = shard_of(settings(0), ["a", "b", "c"])
    os.utime(old / "page.json", (1, 1))
    new = shard_of(settings(1), ["a", "b"])
    with pytest.raises(ConvscopeError) as error:
        merge(settings(1), new)
    assert str(error.value) == (
        "parts/shard_0 saw other photographs than shard_1: expected the same list in all shards; repeat "
        "shard=0 with overwrite=true"
    )
    assert merge(settings(1, overwrite=True), new) is None  # shard 0 is drawn next
    assert not Path("parts/index.html").exists()
    assert merge(settings(0, overwrite=True), shard_of(settings(0), ["a", "b"])) is not None


def test_shards_of_different_models_are_not_merged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last run may be another one when a shard is repeated; the settings are the same."""
    monkeypatch.chdir(tmp_path)
    old = shard_of(settings(0), ["a", "b"])
    os.utime(old / "page.json", (1, 1))
    manifest = old / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"sha256": ""', '"sha256": "1"'))
    with pytest.raises(ConvscopeError, match="shard_0 saw another model than shard_1: expected"):
        merge(settings(1), shard_of(settings(1), ["a", "b"]))


@pytest.mark.parametrize("name", ["page/main.js", "page.json", "a.csv"])
def test_files_of_the_user_beside_the_shards_are_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shards = [shard_of(settings(number), ["a"], "a.csv") for number in (0, 1)]
    for shard in shards:
        write_text(shard / "a.csv", "x\n1\n")
    write_text(Path("parts", name), "mine")
    with pytest.raises(ConvscopeError, match=rf"parts has a file {name} that is in no manifest of stage 3"):
        merge(settings(0), shards[0])
    assert Path("parts", name).read_text() == "mine"
    assert not Path("parts/index.html").exists()
    Path("parts", name).unlink()
    assert merge(settings(0), shards[0]) == merge(settings(1), shards[1]) == Path("parts/index.html")


def test_a_killed_merge_is_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (shard_of(settings(number), ["a"]) for number in (0, 1))
    with monkeypatch.context() as patch:
        patch.setattr("convscope.app.visualize.shards.write_page", killed_write_page)
        with pytest.raises(KeyboardInterrupt):
            merge(settings(0), first)
    assert Path("parts/index.html").exists()
    assert merge(settings(1), second) == Path("parts/index.html")
    assert not Path("parts/.unfinished").exists()


def killed_write_page(*arguments: Any) -> None:
    """Write the page, and stop before the manifest."""
    write_page(*arguments)
    raise KeyboardInterrupt


@pytest.mark.parametrize("path", ["../a.csv", "b/../../a.csv", "{}/a.csv"])
def test_tables_outside_of_the_shards_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = path.format(tmp_path)
    shards = [shard_of(settings(number), ["a"], path) for number in (0, 1)]
    for folder in (Path("parts/b"), *(shard / "b" for shard in shards)):
        folder.mkdir()
    for shard in shards:
        (shard / path).write_text("x\n1\n")
    with pytest.raises(
        ConvscopeError, match=r"manifest\.json lists .* which is outside of the shard: repeat"
    ):
        merge(settings(0), shards[0])
    assert not Path("parts/index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shard=2", "shards=2"], "shard=2, shards=2: expected a shard from 0 to 1"),
        (["shards=2", "compare=[random,donor]"], "compare averages over all photographs"),
        (["shards=2", "views=[evolution,layers]"], "views=evolution chooses what to draw from all"),
        (["shards=2", "views=[filters]"], "views=[filters] does not draw photographs one by one"),
        (
            ["shards=2", "images=a.png"],
            "shards=2: there is nothing to draw in some shards; expected at most 1, the number",
        ),
    ],
)
def test_what_shards_cannot_divide_is_refused(
    command: Command, trained_folder: Path, arguments: list[str], message: str
) -> None:
    Path("donor").symlink_to(trained_folder / "donor")
    Path("a.png").write_bytes(next((trained_folder / "photos").rglob("*.png")).read_bytes())
    outcome = command("visualize", *arguments, "hydra.run.dir=out", "checkpoint=donor")
    assert outcome.status == 1
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("out").exists()
