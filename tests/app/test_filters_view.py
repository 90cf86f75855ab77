"""The filters view, by the real command, on a model with one red channel, a dead one, and deeper layers."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from convscope.app.visualize.views.filters.cache import PatternCache
from convscope.images import load_png, save_png
from convscope.vis.ascent.patterns import Patterns
from tests.conftest import Outcome, files_on_page

Command = Callable[..., Outcome]
GIVEN = [
    "checkpoint=m.keras", "preprocessing=unit_range", "class_names=[dark,light]", "views=[filters]",
    "splits=[photos]", "images=[photos/plain.png]", "filters.steps=8", "filters.cache=cache",
]  # fmt: skip
SIZE = 48


@pytest.fixture
def model(command: Command) -> keras.Model:
    """Save a model: `red` is red minus green and blue, and a dead channel; `deep` has 20 random channels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(2, 5, activation="relu", name="red")(inputs)
    x = keras.layers.Conv2D(20, 3, activation="relu", name="deep")(x)
    x = keras.layers.Flatten(name="flat")(x)
    result = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="out")(x))
    kernel = np.zeros((5, 5, 3, 2), np.float32)
    kernel[..., 0, 0], kernel[..., 1:, 0] = 1, -1
    result.get_layer("red").set_weights([kernel, np.zeros(2, np.float32)])
    result.save("m.keras")
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 40, (SIZE, SIZE, 3)).astype(np.uint8)
    planted = plain.copy()
    planted[7:12, 11:16] = (204, 0, 0)
    save_png(Path("photos/plain.png"), plain)
    save_png(Path("photos/planted.png"), planted)
    return result


def table(run: str) -> list[dict[str, str]]:
    with Path(run, "filters/filters.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def caption_of(run: str, path: str) -> str:
    files = json.loads(Path(run, "manifest.json").read_text("utf-8"))["files"]
    (caption,) = [entry["caption"] for entry in files if entry["path"] == path]
    return str(caption)


def drawn(command: Command, *given: str) -> str:
    done = command("visualize", *GIVEN, *given)
    assert done.status == 0, done.err
    return done.out


@pytest.mark.usefixtures("model")
def test_the_table_compares_patterns_with_photographs(command: Command) -> None:
    drawn(command, "filters.layers=[red]", "hydra.run.dir=out")
    red, dead = table("out")
    assert (red["channel"], red["exact"], red["ascents"], red["photographs"]) == ("0", "1", "0", "2")
    assert float(red["highest_response"]) == pytest.approx(25)  # 25 red pixels
    assert float(red["highest_response_to_photographs"]) == pytest.approx(25 * 0.8, rel=1e-6)
    assert (float(dead["highest_response"]), float(dead["highest_response_to_photographs"])) == (0, 0)
    caption = caption_of("out", "filters/red.jpg")
    assert "2 of 2 channels, 48×48 pixels, exact; right: the strongest of 2 photographs" in caption
    assert "hatched: 1 whose largest possible response is not positive" in caption


def test_the_channels_with_the_highest_responses_are_chosen(command: Command, model: keras.Model) -> None:
    drawn(command, "filters.layers=[deep]", "filters.count=5", "hydra.run.dir=out")
    pictures = [load_png(Path(f"photos/{name}.png")) for name in ("plain", "planted")]
    maps = keras.Model(model.inputs, model.get_layer("deep").output)(np.stack(pictures) / 255.0)
    highest = np.asarray(maps).max((0, 1, 2))
    expected = sorted(np.argsort(-highest)[:5])
    assert [int(row["channel"]) for row in table("out")] == expected
    given = [float(row["highest_response_to_photographs"]) for row in table("out")]
    np.testing.assert_allclose(given, highest[expected], rtol=1e-4)


@pytest.mark.usefixtures("model")
def test_a_second_run_takes_the_patterns_from_the_cache(command: Command) -> None:
    given = ["filters.layers=[deep]", "filters.channels=[3,1]"]
    drawn(command, *given, "hydra.run.dir=first")
    stored = sorted(Path("cache").glob("*.npz"))
    assert len(stored) == 2
    drawn(command, *given, "hydra.run.dir=second")
    first, second = (Path(run, "filters/deep.jpg").read_bytes() for run in ("first", "second"))
    assert first == second
    for path in stored:  # the cache is used: another picture in it is drawn
        arrays = dict(np.load(path))
        np.savez(path, **arrays | {"pictures": np.zeros_like(arrays["pictures"])})
    drawn(command, *given, "hydra.run.dir=third")
    assert Path("third/filters/deep.jpg").read_bytes() != first
    for path in stored:
        path.write_bytes(b"damaged")
    drawn(command, *given, "hydra.run.dir=fourth")
    assert Path("fourth/filters/deep.jpg").read_bytes() == first
    drawn(command, *given, "filters.steps=9", "hydra.run.dir=fifth")
    assert len(list(Path("cache").glob("*.npz"))) == 4


def test_the_cache_has_no_silent_pattern_that_a_photograph_may_excite(
    command: Command, model: keras.Model
) -> None:
    kernel, bias = model.get_layer("deep").get_weights()
    bias[3] = -1000
    model.get_layer("deep").set_weights([kernel, bias])
    model.save("m.keras")
    drawn(command, "filters.layers=[deep]", "filters.channels=[3,1]", "hydra.run.dir=out")
    assert [float(row["highest_response"]) > 0 for row in table("out")] == [False, True]
    assert len(list(Path("cache").glob("*.npz"))) == 1


@pytest.mark.usefixtures("model")
def test_dense_layers_have_patterns_of_the_input_size(command: Command) -> None:
    drawn(command, "filters.layers=[out]", "filters.size=16", "filters.cache=''", "hydra.run.dir=out")
    assert [(row["layer"], row["channel"], row["photographs"]) for row in table("out")] == [
        ("out", "0", ""), ("out", "1", ""),
    ]  # fmt: skip
    assert "2 of 2 channels, 48×48 pixels, fourier, at most 8 steps" in caption_of("out", "filters/out.jpg")
    assert not Path("cache").exists()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("filters.channels=[20]", "filters.channels=[20]: deep has 20 channels; expected 0 to 19"),
        ("filters.method=foureir", "no filters.method 'foureir': did you mean fourier?"),
        ("filters.layers=[flat]", "has no feature maps"),
    ],
)
def test_settings_that_do_not_fit_are_refused(command: Command, given: str, message: str) -> None:
    layers = [] if "layers" in given else ["filters.layers=[deep]"]
    done = command("visualize", *GIVEN, *layers, given, "hydra.run.dir=out")
    assert done.status == 1
    assert message in done.err
    assert not Path("out").exists()


def pattern(value: int) -> Patterns:
    pictures = np.random.default_rng(value).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    numbers = np.array([value], np.float32)
    return Patterns(
        pictures, numbers, numbers, np.array([False]), np.array([0]),
        np.zeros((1, 3), np.float32), np.zeros((1, 16, 16), np.float32),
        np.zeros((1, 0, 16, 16, 3), np.uint8),
    )  # fmt: skip


def test_the_cache_forgets_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache = PatternCache(tmp_path, {"model": "a"})
    for channel in range(3):
        cache.put("layer", channel, pattern(channel))
    paths = {channel: cache._path("layer", channel) for channel in range(3)}
    for age, channel in enumerate((1, 0, 2)):
        os.utime(paths[channel], (1000 + age, 1000 + age))
    found = cache.get("layer", 1)  # now the latest
    assert found is not None
    np.testing.assert_array_equal(found.pictures, pattern(1).pictures)
    cache.trim(sum(path.stat().st_size for path in paths.values()) - 1)
    assert [channel for channel in range(3) if paths[channel].exists()] == [1, 2]
    assert PatternCache(tmp_path, {"model": "b"}).get("layer", 1) is None


@pytest.mark.usefixtures("model")
def test_a_photograph_is_accentuated_for_the_channels_that_respond_to_it(command: Command) -> None:
    given = ["images=[photos/planted.png]", "filters.accentuate=true", "filters.steps=1"]
    drawn(command, "filters.layers=[red,deep]", "filters.channels=[0,1]", *given, "hydra.run.dir=out")
    files = json.loads(Path("out/manifest.json").read_text("utf-8"))["files"]
    found = {entry["layer"]: entry for entry in files if "accentuated" in entry["path"]}
    assert found["red"]["chosen"] == [0]  # the other one is dead
    assert found["red"]["path"] == "filters/planted/01_red_accentuated.jpg"
    before, after = found["red"]["mean_positive_response"]
    assert before[0] < after[0]
    assert f"channel 0: {before[0]:.3g} to {after[0]:.3g}" in found["red"]["caption"]
    assert found["red"]["photograph_sha256"]
    assert found["red"]["path"] in files_on_page()


@pytest.mark.usefixtures("model")
def test_the_ascent_is_animated_and_charted_unless_the_patterns_are_exact(command: Command) -> None:
    drawn(command, "filters.layers=[red,deep]", "filters.animate=[gif]", "hydra.run.dir=out")
    assert {path.name for path in Path("out/filters").iterdir()} == {
        "kernels_red.png", "red.jpg", "deep.jpg", "deep_growth.png", "deep_ascent.gif", "filters.csv",
        "01_patterns.jpg", "02_patterns.jpg",
    }  # fmt: skip
    with Image.open("out/filters/deep_ascent.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 8
    assert "the ascent in 8 pictures" in caption_of("out", "filters/deep_ascent.gif")
