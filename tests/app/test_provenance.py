"""The manifest lists every file of a run with its sources; the same command writes the same bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from convscope.config.schema.views import VIEWS
from convscope.files import sha256
from convscope.images import save_png
from convscope.models.bundle import Contract, save_model
from convscope.models.snapshots import save_snapshot
from convscope.preprocessing import by_name
from tests.conftest import run_script

OF_A_LAYER = {"channels", "value_range"}
OF_COLORS = {"value_range", "normalize"}
OF_A_CLASS = {"layer", "score", "method", "value_range", "color_map"}


def expected_keys(entry: dict[str, Any]) -> set[str]:
    """Return the keys that a file of a view must have, whichever view it is."""
    path = Path(entry["path"])
    if path.parts[0] == "photographs":
        return {"view", "photograph", "photograph_sha256"}
    keys = {"view", "model_sha256", "seed"}
    if len(path.parts) > 2:  # in the folder of a photograph
        keys |= {"photograph", "photograph_sha256"}
    if "class" in entry:
        return keys | OF_A_CLASS
    if path.suffix in (".gif", ".mp4"):
        keys |= {"rate"}
    if "layer" in entry:
        keys |= OF_A_LAYER
    if "color_map" in entry and "layer" in entry:
        keys |= OF_COLORS
    return keys


ARGUMENTS = [
    "checkpoint=run",
    "images=[photos]",
    "splits=[photos]",
    "views=[activations,filters,class_activation,layers,examples,evolution]",
    "activations.channels=true",
    "activations.animate=[gif,mp4]",
    "activations.before_activation=true",
    "activations.save_arrays=float16",
    "filters.steps=2",
    "filters.size=16",
    "seed=7",
    "hydra.run.dir=out",
    "overwrite=true",
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all views of a small convnet, with two snapshots and photographs, are in `out`."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_run_and_photographs()
        assert run_script("visualize", *ARGUMENTS) == 0
    return folder


def save_run_and_photographs() -> None:
    """Save a small convnet with two snapshots in `run`, and two photographs in `photos`."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            keras.layers.Conv2D(4, 3, activation="relu", name="first"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Conv2D(3, 3, name="second"),
            keras.layers.GlobalAveragePooling2D(name="mean"),
            keras.layers.Dense(2, activation="softmax", name="out"),
        ]
    )
    Path("run").mkdir()
    save_model(model, Path("run"))
    Contract("small", ["dark", "light"], (24, 24), by_name("unit_range")).write(Path("run"))
    for epoch in (0, 1):
        save_snapshot(model, epoch, Path("run"))
    for seed, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3)).astype(np.uint8)
        save_png(Path(f"photos/{name}.png"), pixels)


def on_disk() -> dict[str, bytes]:
    paths = [path for path in Path("out").rglob("*") if path.is_file()]
    return {path.relative_to("out").as_posix(): path.read_bytes() for path in paths}


def test_every_file_is_listed_with_its_sources(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    manifest: dict[str, Any] = json.loads(Path("out/manifest.json").read_text("utf-8"))
    entries = manifest["files"]
    listed = [entry["path"] for entry in entries]
    assert sorted([*listed, "manifest.json"]) == sorted(on_disk())
    model = sha256(Path("run/model.keras"))
    photographs = {f"photos/{name}.png": sha256(Path(f"photos/{name}.png")) for name in ("a", "b")}
    assert [entry["sha256"] for entry in manifest["models"]] == [model]
    assert manifest["seed"] == 7
    assert {"python", "keras", "tensorflow", "numpy", "convscope"} <= set(manifest["versions"])
    assert "hydra.run.dir=out" in manifest["command"]
    of_the_run = {path for path in listed if path.startswith("page")} | {"config.yaml", "index.html"}
    assert {Path(path).parts[0] for path in set(listed) - of_the_run} == {
        "photographs",
        *VIEWS,
    } - {"channels", "classes", "comparison", "faithfulness", "gallery"}
    for entry in entries:
        path = Path(entry["path"])
        if entry["path"] in of_the_run:
            continue
        keys = expected_keys(entry)
        assert keys <= set(entry), f"{path} lacks {keys - set(entry)}"
        assert entry["view"] == ("photograph" if path.parts[0] == "photographs" else path.parts[0])
        assert entry.get("model_sha256", model) == model
        if "photograph" in entry:
            assert entry["photograph_sha256"] == photographs[entry["photograph"]]
        if "channels" in entry:
            first, last = entry["channels"]
            assert 0 <= first <= last < 4
        if "value_range" in entry:
            low, high = entry["value_range"]
            assert low <= high
            assert low == high or not entry.get("silent") or "--" not in path.name  # of this channel
        assert entry.get("seed", 7) == 7
        if path.suffix in (".png", ".jpg"):
            with Image.open("out" / path) as image:
                text: Mapping[Any, Any] = image.info
            text = json.loads(text["comment"]) if path.suffix == ".jpg" else text
            for key in keys:
                assert text[key] == str(entry[key]), (path, key)
            assert (text["Title"], text["Description"]) == (entry["title"], entry["caption"])


def test_the_same_command_gives_the_same_bytes(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    first = on_disk()
    assert run_script("visualize", *ARGUMENTS) == 0
    assert on_disk() == first


def test_the_seed_decides_the_random_weights_of_an_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hashes = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        given = ["application=MobileNetV3Small", "weights=null", "input_size=32", "views=[layers]"]
        assert run_script("visualize", *given, f"seed={seed}", f"hydra.run.dir={name}") == 0
        (model,) = json.loads(Path(name, "manifest.json").read_text())["models"]
        hashes.append(model["sha256"])
    assert hashes[0] == hashes[1] != hashes[2]
