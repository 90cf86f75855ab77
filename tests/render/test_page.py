from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from convscope.render.artifact import Artifact, Role, encode_picture
from convscope.render.page import Page, PhotographPart, Section, write_page

EVIL = "<script>alert('x')</script> & \"quoted\" #1 100%.png"


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.targets: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.scripts += tag == "script"
        self.ids |= {values["id"]} if values.get("id") else set()
        self.targets += [value for key in ("src", "href") if (value := values.get(key))]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    def artifact(path: str, title: str, role: Role = Role.figure) -> Artifact:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            encode_picture(path, np.zeros((4, 6, 3), np.uint8), title=title, caption=EVIL, provenance={})
        )
        return Artifact(path, title, EVIL, view="view", role=role, size=(4, 6))

    photographs = [
        PhotographPart(
            name=EVIL,
            key=key,
            picture=artifact(f"photographs/{key}.jpg", EVIL),
            scores=[(EVIL, 0.75), ("b", 0.25)],
            truth="b",
            sections=[
                Section(
                    "class_activation",
                    "Class activation",
                    "",
                    [
                        artifact(f"c/{key}_o.png", "o", Role.overlay),
                        artifact(f"c/{key}_h.png", "o", Role.link),
                    ],
                ),
                Section(
                    "activations",
                    "Feature maps",
                    "",
                    [
                        artifact(f"activations/{key}/01_conv #1.png", "conv #1"),
                        artifact(f"activations/{key}/all.gif", "all layers", Role.link),
                        artifact(f"activations/{key}/hidden.png", "hidden", Role.file),
                    ],
                ),
            ],
        )
        for key in ("käfer (1) #2 50%", "b")
    ]
    write_page(
        tmp_path / "index.html",
        Page(
            EVIL,
            [("classes", EVIL)],
            photographs,
            leading=[Section("first", EVIL, EVIL, [artifact("first/chart.png", "chart")])],
            sections=[Section("filters", EVIL, EVIL, [artifact("filters/conv.png", "conv")])],
            command="python x.py " + EVIL,
        ),
    )
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path / "index.html"


def test_names_are_escaped(page: Path) -> None:
    links = Links()
    links.feed(page.read_text())
    assert links.scripts == 1
    assert "alert('x')</script>" not in page.read_text()


def test_every_link_is_relative_and_leads_somewhere(page: Path) -> None:
    links = Links()
    links.feed(page.read_text())
    assert len(links.targets) > 12
    for target in links.targets:
        assert "://" not in target
        assert not target.startswith("/")
        if target.startswith("#"):
            assert unquote(target[1:]) in links.ids
        else:
            assert (page.parent / unquote(target)).is_file()


def test_each_figure_has_its_caption_and_the_links_of_its_title(page: Path) -> None:
    text = page.read_text()
    captions = [part.partition("</figcaption>")[0] for part in text.split("<figcaption>")[1:]]
    assert len(captions) == 6  # an overlay and a layer of two photographs, a chart, a filter
    assert all("quoted" in caption for caption in captions)
    assert sum("_h.png" in caption for caption in captions) == 2  # heatmaps, beside their overlays
    assert not any("all.gif" in caption for caption in captions)
    assert text.count(">GIF</a>") == 2  # in the list of links
    assert "hidden.png" not in text
