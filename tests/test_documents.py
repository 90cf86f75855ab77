"""The documents: their links, and the reference of the Python interface. `make docs` checks the rest."""

import logging
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import convscope
from docs import site_pages
from tests.conftest import ROOT, Outcome

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*/README.md")),
]
README = [  # without the sweeps, whose settings Hydra cannot print
    line
    for line in (ROOT / "README.md").read_text("utf-8").splitlines()
    if line.startswith("python ") and " -m " not in line
]


def anchors(document: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_point_to_files_and_headings(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), target


def test_the_reference_has_every_public_name() -> None:
    names = {path.rpartition(".")[2] for path in site_pages.public_names()}
    assert names == set(convscope.__all__)


@pytest.mark.parametrize(
    ("tag", "warnings"),
    [
        ('<script src="https://example.org/shim"></script>', 1),
        ('<link rel="stylesheet" href="//example.org/font.css">', 1),
        ('<img alt="" src="images/page.png"><script src="iframe-worker.js"></script>', 0),
        ('<a href="https://hydra.cc">Hydra</a>', 0),
    ],
)
def test_a_page_of_the_site_that_loads_from_another_server_gives_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tag: str, warnings: int
) -> None:
    # A command in this process leaves all loggers disabled, because Hydra disables them.
    monkeypatch.setattr(logging.getLogger("mkdocs.hooks"), "disabled", False)
    caplog.set_level("WARNING", logger="mkdocs.hooks")
    page: Any = SimpleNamespace(file=SimpleNamespace(src_uri="tour.md"))
    config: Any = None
    assert site_pages.on_post_page(tag, page, config) == tag
    assert len(caplog.messages) == warnings


@pytest.mark.parametrize("line", README)
def test_the_settings_of_a_command_of_the_readme_exist(command: Callable[..., Outcome], line: str) -> None:
    _, script, *given = shlex.split(line)
    done = command(script.removesuffix(".py"), *given, "--cfg", "job")
    assert done.status == 0, done.err
