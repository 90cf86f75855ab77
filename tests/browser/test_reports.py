"""The reports of a data set, a training and a sweep in a real browser."""

from pathlib import Path
from typing import Any

import pytest

from convscope.sweep import report

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def reports(trained_folder: Path, swept: Path) -> list[Path]:
    """The report of each kind."""
    sweep = swept.parent / "sweep"
    report.update(sweep)
    (dataset,) = (trained_folder / "data").glob("*/report.html")
    return [dataset, trained_folder / "donor/report.html", sweep / "report.html"]


def test_a_report_is_not_wider_than_a_phone(browser: Any, reports: list[Path]) -> None:
    """Only tables and charts scroll, each in its own box."""
    page = browser.new_page(viewport=PHONE)
    for path in reports:
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
    page.close()
