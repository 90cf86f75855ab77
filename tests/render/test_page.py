"""The files of the page, without a browser; `tests/browser` looks at the page itself."""

import json
import re
from pathlib import Path

import pytest

from convscope.render.artifact import Artifact, Role
from convscope.render.page import SCRIPTS, LayerPart, Page, PhotographPart, Section, shown_scores, write_page
from tests.conftest import files_on_page, shown_on_page

EVIL = "<script>alert('x')</script> & \"quoted\" #1 100%.png"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose names are all hostile."""
    folder = tmp_path_factory.mktemp("run")
    layer = LayerPart("01", EVIL, "Conv2D", (4, 4, 2), [EVIL, "relu"], ["00"], 10, True, None)
    page = Page(
        title=EVIL,
        facts=[("classes", EVIL)],
        models=[EVIL],
        checkpoints=[EVIL],
        input_size=(8, 8),
        classes=[EVIL, "b"],
        layers=[layer],
        photographs=[
            PhotographPart(EVIL, "a", "photographs/a.jpg", "0", (4, 6), [(EVIL, float("nan"))], "b")
        ],
        views=[Section("filters", EVIL, EVIL)],
        artifacts=[
            Artifact("filters/a #1.png", EVIL, EVIL, view="filters", size=(4, 6), provenance={"layer": EVIL}),
            Artifact("channels/01.js", "01", role=Role.data, data={"kind": "channels", "layer": "01"}),
        ],
        program="convscope visualize",
        model_options=EVIL,
        command=EVIL,
        versions={"convscope": "0"},
        color_maps={"maps": "viridis"},
    )
    write_page(folder.joinpath, page.to_json() | {"training": {}, "findings": []}, {"more.js": b""})
    return folder


def test_names_cannot_end_a_script_or_become_html(run: Path) -> None:
    assert "alert('x')</script>" not in (run / "index.html").read_text("utf-8")
    assert "<" not in (run / "page/index.js").read_text("utf-8")
    assert shown_on_page(run)["layers"][0]["path"] == EVIL


def test_everything_that_the_page_loads_is_beside_it(run: Path) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', (run / "index.html").read_text("utf-8"))
    files = [target for target in loaded if target not in ("data:,", "manifest.json")]
    assert files == ["page/page.css", "page/index.js", *(f"page/{name}" for name in SCRIPTS)]
    assert all((run / target).is_file() for target in files)


def test_the_page_has_no_script_or_style_inside(run: Path) -> None:
    page = (run / "index.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>([^<]+)</script>", page) == []
    assert "<style" not in page
    assert " style=" not in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_scripts_insert_text_as_text_only() -> None:
    folder = Path(__file__).parents[2] / "convscope/render/assets/explorer"
    for name in SCRIPTS:
        script = (folder / name).read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|getImageData", script
        )


def test_the_index_has_what_scripts_need_and_no_number_that_json_lacks(run: Path) -> None:
    files = files_on_page(run)
    assert files["filters/a #1.png"]["layer"] == EVIL
    assert files["channels/01.js"]["key"] == "channels/01"
    assert shown_on_page(run)["photographs"][0]["scores"] == [[EVIL, None]]
    assert json.loads((run / "page.json").read_text("utf-8")) == shown_on_page(run)


def test_the_page_gets_the_highest_scores_and_that_of_the_true_class() -> None:
    scores = {str(number): number / 55 for number in range(1, 11)}
    highest = [str(number) for number in range(10, 2, -1)]
    assert [name for name, _ in shown_scores(scores, None)] == highest
    assert [name for name, _ in shown_scores(scores, "9")] == highest
    assert shown_scores(scores, "1")[-1] == ("1", 1 / 55)
    assert [name for name, _ in shown_scores(scores, "1")[:-1]] == highest
    assert shown_scores({}, "a") == []
