"""The channels view, by the real command, on the tiny trained network of `trained_folder`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope import decode
from convscope.data.pipeline import encode_photographs
from convscope.graph import probabilities_of
from convscope.models.bundle import ModelBundle
from convscope.models.opening import open_checkpoint
from convscope.preprocessing import Preprocessing
from convscope.render import rows
from convscope.vis.extractor import Extractor
from tests.conftest import Outcome

Command = Callable[..., Outcome]
DRAW = ("checkpoint=donor", "views=[channels]")


@pytest.fixture
def draw(command: Command, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Draw channels of the run `donor` into a folder of `tmp_path`."""
    monkeypatch.chdir(trained_folder)
    return lambda out, *given: command("visualize", *DRAW, f"hydra.run.dir={tmp_path / out}", *given)


def data(folder: Path, key: str) -> Any:
    """Return the value that a data file registers."""
    text = (folder / f"channels/{key}.js").read_text("utf-8")
    start, _, value = text.partition(" = ")
    assert start == f'(window.convscopeData ||= {{}})["channels/{key}"]'
    return json.loads(value.removesuffix(";\n"))


def encoded(bundle: ModelBundle, paths: list[str]) -> np.ndarray:
    preprocessing: Preprocessing = bundle.contract.preprocessing
    pixels = [decode.load(Path(path)) for path in paths]
    return encode_photographs(pixels, bundle.contract.input_size, preprocessing)


def test_the_data_are_those_of_the_maps_and_of_the_predictions(draw: Command, tmp_path: Path) -> None:
    outcome = draw("out")
    assert outcome.status == 0, outcome.err
    shared = data(tmp_path / "out", "index")
    assert (shared["classes"], shared["grouped_by"]) == (["dark", "light"], "true")
    paths = [path for path, _ in shared["images"]]
    labels = np.array([label for _, label in shared["images"]])
    assert [shared["classes"][label] for label in labels] == [Path(path).parent.name for path in paths]
    assert {Path(path).parts[-3] for path in paths} == {"train"}
    assert set(shared["counts"].values()) == {len(paths)}
    assert shared["removed_of_class"] == np.bincount(labels).tolist()
    assert shared["left_out"] == []
    assert "channels: nothing was left out." in outcome.out

    bundle = open_checkpoint(Path("donor"))
    inputs = encoded(bundle, paths)
    right = probabilities_of(bundle.model, inputs)[np.arange(len(labels)), labels]
    assert shared["before"]["all"] == pytest.approx((right > 0.5).mean(), abs=1e-3)
    assert shared["before"]["probability"] == pytest.approx(
        [right[labels == label].mean() for label in (0, 1)], rel=1e-3
    )
    (of_layer,) = shared["layers"]
    layer = next(layer for layer in bundle.layers if layer.is_convolution)
    assert (of_layer["layer"], of_layer["key"], of_layer["channels"]) == (layer.path, "01", 4)
    maps = Extractor(bundle.model, [layer])(inputs)[layer.path]
    content = data(tmp_path / "out", "01")
    for channel, numbers in enumerate(content["channels"]):
        own = maps[..., channel]
        peaks = own.max(axis=(1, 2))
        assert numbers["mean"] == pytest.approx(own.mean(), rel=1e-3, abs=1e-6)
        assert numbers["max"] == pytest.approx(own.max(), rel=1e-3)
        assert numbers["sparsity"] == pytest.approx((own == 0).mean(), rel=1e-3)
        counts = numbers["histogram"]["counts"]
        assert [sum(row) for row in counts] == np.bincount(labels).tolist()
        examples = numbers["examples"]
        assert examples["values"] == pytest.approx(peaks[examples["images"]], rel=1e-3)
        assert examples["values"][:9] == pytest.approx(np.sort(peaks)[::-1][:9], rel=1e-3)
        assert (channel in content["dead"]) == (own.max() == 0)
        assert ("tile" in examples) == ("removed" in numbers) == (own.max() > 0)
        check_first_crop(tmp_path / "out", content, channel, paths, own)


def check_first_crop(
    out: Path, content: dict[str, Any], channel: int, paths: list[str], maps: np.ndarray
) -> None:
    """Check that the first tile of a channel shows the receptive field, 3×3 of 32×32 pixels, of the peak."""
    examples, sprite = content["channels"][channel]["examples"], content["sprite"]
    if "tile" not in examples:
        return
    first = examples["images"][0]
    row, column = np.unravel_index(maps[first].argmax(), maps[first].shape)
    window = (row / 32, column / 32, (row + 3) / 32, (column + 3) / 32)
    height, width = sprite["tile"]
    pixels = decode.load(Path(paths[first]))
    expected = rows.example(pixels, window, None, size=(height, width), input_size=(32, 32))
    line, place = divmod(examples["tile"], sprite["columns"])
    with Image.open(out / sprite["file"]) as image:
        sheet = np.asarray(image).astype(int)
    tile = sheet[line * height :, place * width :][:height, :width]
    assert np.abs(tile[8:-8, 8:-8] - expected[8:-8, 8:-8]).mean() < 12  # JPEG


def test_the_same_command_writes_the_same_bytes(draw: Command, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert draw(out, "channels.minutes=0", "channels.limit=10").status == 0
    files = sorted(path.name for path in (tmp_path / "one/channels").iterdir())
    assert files == ["01.jpg", "01.js", "channels.csv", "index.js"]
    for name in files:
        assert (
            Path(tmp_path / "one/channels" / name).read_bytes()
            == (tmp_path / "two/channels" / name).read_bytes()
        )
    shared = data(tmp_path / "one", "index")
    assert shared["counts"] == {"images": 10, "push": 10}  # too little work for a removal
    assert shared["left_out"][0] == "Values and examples are measured on 10 of 14 images."
    assert shared["left_out"][1].startswith("0 of the ")
    assert "before" not in shared
    assert all("removed" not in channel for channel in data(tmp_path / "one", "01")["channels"])


def test_without_true_classes_images_are_grouped_by_prediction(
    draw: Command, tmp_path: Path, class_folders: Path
) -> None:
    outcome = draw("out", f"splits={class_folders}")
    assert outcome.status == 0, outcome.err
    shared = data(tmp_path / "out", "index")
    assert shared["grouped_by"] == "predicted"
    bundle = open_checkpoint(Path("donor"))
    predicted = probabilities_of(bundle.model, encoded(bundle, [path for path, _ in shared["images"]]))
    assert [label for _, label in shared["images"]] == predicted.argmax(axis=1).tolist()
    said = "No channel was removed, because the true classes of the images are not known."
    assert shared["left_out"] == [said]
    assert said in outcome.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("channels.layers=[type:Dense]", "choose convolution layers in channels.layers"),
        ("channels.limit=0", "channels.limit=0 is out of range: expected at least 1"),
        ("channels.minutes=-1", "channels.minutes=-1.0 is out of range: expected at least 0"),
    ],
)
def test_wrong_options_give_an_error_of_one_line(draw: Command, given: str, said: str) -> None:
    outcome = draw("out", given)
    assert outcome.status == 1
    assert outcome.err.strip().splitlines()[-1].startswith("error: ")
    assert said in outcome.err.strip().splitlines()[-1]
