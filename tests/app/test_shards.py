"""Stage 3 in shards: each draws a part of the photographs, the last one merges the pages."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome

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
    page = Path("parts/index.html").read_text()
    links = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert links
    assert [link for link in links if not (Path("parts") / link).is_file()] == []
    thumbnails = re.findall(r'href="#photographs/(\w+)" title', page)
    whole = Path("whole/index.html").read_text()
    assert thumbnails == re.findall(r'href="#photographs/(\w+)" title', whole)
    assert len(thumbnails) == 5
    assert page.count("<figure") == whole.count("<figure")
    assert "-m shard=0,1 shards=2" in page.replace("&#39;", "")
    assert rows(Path("parts/activations/summary.csv")) == rows(Path("whole/activations/summary.csv"))
    of_whole = {entry["path"] for entry in json.loads(Path("whole/manifest.json").read_text())["files"]}
    listed = [entry["path"] for entry in json.loads(Path("parts/manifest.json").read_text())["files"]]
    parts = {re.sub(r"^shard_\d/", "", path) for path in listed}
    assert parts == of_whole | {"page.json"}
    for path in listed:
        other = Path("whole", re.sub(r"^shard_\d/", "", path))
        if re.search(r"(class_activation|photographs)/.*\.(npy|jpg)$", path):
            assert Path("parts", path).read_bytes() == other.read_bytes()


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
