"""How large the page of a large network is, and how fast it opens: InceptionV3 with random weights.

The limits are those that the page is built for: 150 MB on disk for 94 convolutions and 8 photographs with
16 patterns a layer, the first view in 1 s, a layer in 0.3 s, and at most a quarter of the time of the run to
write the page. A ratio above 1 is within the limit.

Patterns are computed for few layers (--patterns) with one step each, because 94 layers take hours. The size
of their files, sprites for the page and pictures for slides, is multiplied by the number of convolutions.
Data of feature maps is written while they are computed; the time of the page itself is that of `views=[page]`
on the finished run. The browser is Chromium without a window, which opens the page from disk; without
Playwright or a browser these cases are left out. The photographs are smooth noise.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from convscope.images import resize, save_png

ROOT = Path(__file__).resolve().parents[1]
PHOTOGRAPHS, SIDE = 8, 299
CONVOLUTIONS = 94
OPENED = 12  # layers that the browser opens
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--patterns", type=int, default=2, help="layers with 16 patterns each")
    parser.add_argument("--run", type=Path, help="measure the page of this finished run instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = list(_measure(Path(scratch), options.run, options.patterns))
    for one in results:
        print(
            f"{one['case']}: {one['ours']:.3g} {one['unit']}, limit {one['other']:.3g} (×{one['ratio']:.2f})"
        )
    if options.json:
        print(json.dumps({"benchmark": "explorer", "results": results}))


def _measure(scratch: Path, finished: Path | None, patterns: int) -> Iterator[dict[str, Any]]:
    run = finished or scratch / "run"
    if finished is None:
        seconds = _draw(scratch, run, patterns)
        began = time.perf_counter()
        _visualize("views=[page]", f"hydra.run.dir={run}")
        yield _case("writing the page", "s", time.perf_counter() - began, seconds / 4, "a quarter of the run")
    files = [path for path in run.rglob("*") if path.is_file()]
    sprites = [path for path in files if path.name.endswith("_patterns.jpg")]
    total = sum(path.stat().st_size for path in files)
    of_patterns = sum(path.stat().st_size for path in files if path.parent == run / "filters")
    print(f"maps for the page: {_megabytes(run.glob('activations/*/*.js')):.1f} MB")
    print(f"pictures for slides: {_megabytes(run.glob('activations/*/*.png')):.1f} MB")
    if sprites:
        of_all = of_patterns * CONVOLUTIONS / len(sprites)
        print(f"patterns of all convolutions: {of_all / 1e6:.1f} MB")
        total += round(of_all - of_patterns)
    yield _case("size of the run", "MB", total / 1e6, 150, "limit")
    yield from _browse(run)


def _megabytes(files: Iterator[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e6


def _draw(scratch: Path, run: Path, patterns: int) -> float:
    """Draw InceptionV3 with random weights; return the seconds."""
    for seed in range(PHOTOGRAPHS):
        coarse = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
        save_png(scratch / f"photographs/{seed}.png", resize(coarse, SIDE, SIDE))
    began = time.perf_counter()
    _visualize(
        "application=InceptionV3",
        "weights=null",
        f"images={scratch / 'photographs'}",
        "views=[layers,activations,filters]",
        f"filters.layers=[every:{CONVOLUTIONS // patterns}]",
        "filters.steps=1",
        "filters.cache=''",
        f"hydra.run.dir={run}",
    )
    return time.perf_counter() - began


def _visualize(*arguments: str) -> None:
    command = [sys.executable, str(ROOT / "visualize.py"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])


def _browse(run: Path) -> Iterator[dict[str, Any]]:
    """Time the first view, and the opening of layers, until everything is painted."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        print("the browser is left out: needs Playwright and Chromium")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(f"{run.resolve().as_uri()}/index.html")
        page.wait_for_selector("body[data-ready]")
        yield _case("first view", "s", time.perf_counter() - began, 1.0, "limit")
        links = page.locator("#rail .layers a")
        chosen = np.linspace(0, links.count() - 1, OPENED).astype(int)
        seconds = [_open(page, links.nth(int(at))) for at in chosen]
        yield _case("a layer, median", "s", statistics.median(seconds), 0.3, "limit")
        yield _case("a layer, slowest", "s", max(seconds), 0.3, "limit")
        browser.close()


_PAINTED = """before => new Promise(resolve => {
  const look = () => document.body.dataset.ready !== before
    ? requestAnimationFrame(() => setTimeout(resolve)) : requestAnimationFrame(look);
  look();
})"""


def _open(page: Any, link: Any) -> float:
    """Click a layer in the rail; return the seconds until its maps are painted."""
    link.scroll_into_view_if_needed()
    before = page.evaluate("document.body.dataset.ready")
    began = time.perf_counter()
    link.evaluate("link => link.click()")
    page.evaluate(_PAINTED, before)
    return time.perf_counter() - began


def _case(case: str, unit: str, ours: float, limit: float, name: str) -> dict[str, Any]:
    return {
        "case": case,
        "unit": unit,
        "ours": ours,
        "other": limit,
        "other_name": name,
        "ratio": limit / ours,
    }


if __name__ == "__main__":
    main()
