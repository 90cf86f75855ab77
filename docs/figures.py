"""Draw the pictures of README.md and docs/ into docs/images/; `make figures` runs this script.

The pictures show flowers drawn by code, the network of the demo, and EfficientNet-Lite0 (Apache 2.0). Its
weights are read from ../shared/weights, or from $CONVSCOPE_SHARED/weights. If the weights or Chromium are
missing, the script prints one line about it and makes the other pictures.
"""

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from convscope import names
from convscope.data import procedural
from convscope.images import save_png

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs/images"
WORK = ROOT / "outputs/figures"
LITE0 = (
    Path(os.environ.get("CONVSCOPE_SHARED", ROOT.parent / "shared"))
    / "weights/efficientnet_lite0_imagenet.keras"
)
DAISIES = (3, 2, 4)  # seeds of three daisies that EfficientNet-Lite0 recognizes
WINDOW = (1100, 680)  # pixels of the browser window
PAGE_COLORS = 96  # of a picture of the page, without dithering
CHANNEL = (270, 1315, 1100, 2430)  # the middle of the page of a channel in the tour: examples to removal
PAGES = {"page": "", "page_layer": "layer/conv2d_3", "page_channel": "layer/conv2d_3/channel/{channel}"}
TOUR = ROOT / "outputs/tour"
BUDGET = 2.2e6  # bytes of all pictures together


def main() -> None:
    """Run the three stages, then copy the pictures, with at most 256 colours each."""
    IMAGES.mkdir(exist_ok=True)
    draw_demo()
    draw_comparison()
    if LITE0.is_file():
        draw_efficientnet()
    else:
        print(f"filters.png and class_activation.png are not drawn: {LITE0} is missing")
    photograph_page()
    run_tour()
    draw_tour()
    total = sum(file.stat().st_size for file in IMAGES.iterdir())
    print(f"{total / 1e6:.2f} MB in {IMAGES}")
    if total > BUDGET:
        sys.exit(f"error: docs/images/ has {total / 1e6:.2f} MB, expected at most {BUDGET / 1e6} MB")


def draw_demo() -> None:
    """Train the network of the demo, and draw its page."""
    run("create_train_val_test.py", "dataset=procedural")
    run("train.py", "experiment=demo", directory="train")
    run(
        "visualize.py",
        f"checkpoint={WORK / 'train'}",
        "views=[layers,class_activation,activations,filters,examples,channels]",
        directory="demo",
    )


def draw_comparison() -> None:
    """Draw the network of the demo before and after its training, side by side."""
    before = WORK / "train/snapshots/epoch_000.weights.npz"
    run(
        "visualize.py",
        f"compare=[{before},{WORK / 'train'}]",
        "views=[activations]",
        "activations.layers=[conv2d_2]",
        "comparison.channels=8",
        "comparison.normalize=channel",
        directory="comparison",
    )
    keep("comparison", "comparison/**/sunflower_*/*_conv2d_2.png")


def draw_efficientnet() -> None:
    """Draw filter patterns and Grad-CAM of EfficientNet-Lite0."""
    flowers = [WORK / f"flowers/daisy_{seed}.png" for seed in DAISIES]
    flowers[0].parent.mkdir(parents=True, exist_ok=True)
    for seed, file in zip(DAISIES, flowers, strict=True):
        save_png(file, procedural.draw("daisy", 320, (seed,), difficulty=0.25).pixels)
    labels = json.loads((ROOT / "convscope/models/imagenet_classes.json").read_text("utf-8"))
    (WORK / "imagenet.txt").write_text("\n".join(names.unique(labels)) + "\n", "utf-8")
    run(
        "visualize.py",
        f"checkpoint={LITE0}",
        "preprocessing=affine",
        "scale=[0.0078125]",  # (pixel - 127) / 128
        "offset=[-0.9921875]",
        f"class_names=@{WORK / 'imagenet.txt'}",
        f"images=[{','.join(map(str, flowers))}]",
        "views=[filters,class_activation]",
        "filters.layers=[block5_project_conv]",
        "class_activation.classes=daisy",
        directory="efficientnet",
    )
    keep("filters", "efficientnet/filters/block5_project_conv.jpg")
    pairs = []
    for file in flowers:
        pairs += [file, match(f"efficientnet/class_activation/{file.stem}/daisy_overlay.png")]
    row = Image.new("RGB", (len(pairs) * 200, 200))
    for column, file in enumerate(pairs):
        row.paste(Image.open(file).convert("RGB").resize((200, 200)), (column * 200, 0))
    shrink(row, "class_activation")


def photograph_page() -> None:
    """Save the upper part of pages of the demo as a browser shows them."""
    channel = strongest_channel(WORK / "demo")
    for name, route in PAGES.items():
        if screenshot(WORK / "demo", route.format(channel=channel), WORK / f"{name}.png", WINDOW):
            keep(name, f"{name}.png", PAGE_COLORS)


def run_tour() -> None:
    """Run the commands of docs/tour.md."""
    for line in (ROOT / "docs/tour.md").read_text("utf-8").splitlines():
        if line.startswith("python "):
            _, script, *given = shlex.split(line)
            run(script, *given, "overwrite=true")


def draw_tour() -> None:
    """Copy the pictures of the tour from what its commands wrote."""
    seen = sorted((TOUR / "where/photographs").glob("*.jpg"))
    marked = sorted((TOUR / "suspicion/photographs").glob("*.jpg"))
    shrink(rows(seen), "tour_flowers", PAGE_COLORS)
    for name, pattern in (
        ("feature_maps", "maps/activations/sunflower_*/*_conv2d_2.png"),
        ("examples", "examples/examples/*_conv2d_4.jpg"),
        ("evolution", "evolution/evolution/sunflower_*/*_conv2d_2.png"),
    ):
        shrink(Image.open(min(TOUR.glob(pattern))), name)
    shrink(Image.open(TOUR / "flowers/curves.png"), "tour_curves", PAGE_COLORS)
    shrink(Image.open(TOUR / "filters/filters/conv2d_3.jpg"), "tour_filters", PAGE_COLORS)
    shrink(rows(seen, overlays(TOUR / "where", seen)), "tour_where", PAGE_COLORS)
    shrink(Image.open(TOUR / "compare/comparison/summary.png"), "tour_compare", PAGE_COLORS)
    shrink(rows(marked), "tour_marked", PAGE_COLORS)
    shrink(rows(marked, overlays(TOUR / "suspicion", marked)), "tour_suspicion", PAGE_COLORS)
    file = TOUR / "channel.png"
    route = f"layer/conv2d_3/channel/{strongest_channel(TOUR / 'channels')}"
    if screenshot(TOUR / "channels", route, file, (1100, 3000)):
        shrink(Image.open(file).crop(CHANNEL), "tour_channel", PAGE_COLORS)


def rows(*pictures: list[Path]) -> Image.Image:
    """Return rows of square pictures, 200 pixels wide."""
    sheet = Image.new("RGB", (len(pictures[0]) * 200, len(pictures) * 200))
    for index, row in enumerate(pictures):
        for column, file in enumerate(row):
            sheet.paste(Image.open(file).convert("RGB").resize((200, 200)), (column * 200, index * 200))
    return sheet


def overlays(page: Path, photographs: list[Path]) -> list[Path]:
    """Return the heatmap of the predicted class on top of each photograph."""
    return [
        min((page / "class_activation" / photograph.stem).glob("*_overlay.png")) for photograph in photographs
    ]


def screenshot(page: Path, route: str, target: Path, size: tuple[int, int]) -> bool:
    """Save a page as a browser shows it; return False if there is no browser."""
    browsers = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, browsers)), None)
    if browser is None:
        print(f"{target.name} is not drawn: none of {', '.join(browsers)} is on PATH")
        return False
    # The page loads data after its scripts; the budget is the time that it gets for this.
    options = ("--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=8000")
    window = f"--window-size={size[0]},{size[1]}"
    address = f"{(page / 'index.html').as_uri()}#/{route}"
    command = [browser, *options, window, f"--screenshot={target}", address]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # no shell, fixed arguments
    return True


def strongest_channel(page: Path) -> int:
    """Return the channel of conv2d_3 that pushes a class most."""
    with (page / "channels/channels.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "conv2d_3" and row["push"]]
    return int(max(rows, key=lambda row: float(row["push"]))["channel"])


def run(script: str, *settings: str, directory: str | None = None) -> None:
    """Run one of the three scripts, with its output in `outputs/figures/DIRECTORY`."""
    output = [f"hydra.run.dir={WORK / directory}", "overwrite=true"] if directory else []
    command = [sys.executable, str(ROOT / script), *settings, *output]
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603  # no shell, fixed arguments


def match(pattern: str) -> Path:
    """Return the first file in `outputs/figures` that matches a pattern."""
    return min(WORK.glob(pattern))


def keep(name: str, pattern: str, colors: int = 256) -> None:
    """Copy a picture of `outputs/figures` to `docs/images/NAME.png`."""
    shrink(Image.open(match(pattern)), name, colors)


def shrink(picture: Image.Image, name: str, colors: int = 256) -> None:
    """Save a picture as `docs/images/NAME.png` with a palette, without its metadata."""
    if picture.mode != "P":
        pixels = picture.convert("RGB")
        palette = pixels.quantize(colors, kmeans=1)
        dither = Image.Dither.FLOYDSTEINBERG if colors == 256 else Image.Dither.NONE
        picture = pixels.quantize(palette=palette, dither=dither)
    picture.save(IMAGES / f"{name}.png", optimize=True, pnginfo=PngInfo())


if __name__ == "__main__":
    main()
