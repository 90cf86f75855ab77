"""Class activation on a video that the test writes: every frame, its order, size, rate, class and map."""

import csv
import json
import signal
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from convscope.app.visualize.views import class_activation_video
from convscope.decode_video import Video, open_video
from convscope.ffmpeg import program
from convscope.images import save_png
from convscope.models.bundle import Contract, save_model
from convscope.preprocessing import by_name
from convscope.render.video import mp4
from tests.conftest import Outcome, files_on_page, shown_on_page

Command = Callable[..., Outcome]
HEIGHT, WIDTH, RATE = 61, 95, Fraction(30000, 1001)
POSITIONS = 9  # of the maps: the weight of a map is the mean of the gradient, 1 / 9
GIVEN = ["checkpoint=run", "images=[clip.mp4]", "views=[class_activation]", "hydra.run.dir=out"]


@pytest.fixture
def run(command: Command) -> None:
    """A model whose logits are the mean brightness of red and of green, and a video: red, then green."""
    inputs = keras.Input((3, 3, 3))
    maps = keras.layers.Conv2D(2, 1, activation="relu", use_bias=False, name="maps")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    outputs = keras.layers.Dense(2, activation="softmax", use_bias=False)(pooled)
    model = keras.Model(inputs, outputs)
    model.set_weights([np.eye(3, 2, dtype=np.float32)[None, None], np.eye(2, dtype=np.float32)])
    Path("run").mkdir()
    save_model(model, Path("run"))
    Contract("by hand", ["red", "green"], (3, 3), by_name("unit_range")).write(Path("run"))
    mp4(Path("even.mp4"), frames(), RATE)
    odd = ["-vf", f"format=yuv444p,crop={WIDTH}:{HEIGHT}:0:0", "-crf", "1", "clip.mp4"]
    subprocess.run([program(), "-v", "error", "-i", "even.mp4", *odd], check=True)


def frames() -> np.ndarray:
    """Four frames that are more red than green, then three that are more green than red."""
    colors = [
        (200, 40, 0),
        (190, 50, 0),
        (180, 60, 0),
        (170, 70, 0),
        (40, 200, 0),
        (50, 190, 0),
        (60, 180, 0),
    ]
    return np.array(colors, np.uint8)[:, None, None].repeat(HEIGHT, axis=1).repeat(WIDTH, axis=2)


def rows() -> list[dict[str, str]]:
    with Path("out/class_activation/clip/video.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files() -> list[str]:
    return sorted(path.name for path in Path("out").rglob("*") if "video" in path.name)


@pytest.mark.usefixtures("run")
def test_every_frame_has_a_map_of_its_predicted_class(command: Command) -> None:
    done = command("visualize", *GIVEN)
    assert done.status == 0, done.err
    drawn = open_video(Path("out/class_activation/clip/video.mp4"))
    assert (drawn.count, drawn.rate) == (7, RATE)
    assert drawn.size == (HEIGHT + 1, WIDTH + 1)  # even
    shown = np.stack(list(drawn.frames()))
    assert len(shown) == 7
    assert [row["class"] for row in rows()] == ["red"] * 4 + ["green"] * 3
    assert [row["seconds"] for row in rows()][:3] == ["0.000", "0.033", "0.067"]
    for row, (red, green, _) in zip(rows(), frames()[:, 0, 0].astype(float), strict=True):
        own, other = max(red, green) / 255, min(red, green) / 255
        assert float(row["maximum"]) == pytest.approx(own / POSITIONS, abs=0.002)
        assert float(row["probability"]) == pytest.approx(1 / (1 + np.exp(other - own)), abs=0.01)
    brightness = shown[:, HEIGHT - 10, 10].astype(int).sum(axis=1)
    assert brightness[0] > brightness[3] + 10  # one scale: weaker evidence has darker colours
    video = files_on_page()["class_activation/clip/video.mp4"]
    assert (video["role"], video["size"]) == ("figure", [62, 96])
    (photograph,) = shown_on_page()["photographs"]
    assert photograph["note"] == "the frame in the middle of a video, 95×61, 7 frames, 29.97 per second"


@pytest.mark.usefixtures("run")
def test_caption_and_manifest_state_the_scale(command: Command) -> None:
    done = command("visualize", *GIVEN, "class_activation.classes=[green]", "class_activation.every=3")
    assert done.status == 0, done.err
    manifest = json.loads(Path("out/manifest.json").read_text("utf-8"))
    (entry,) = [entry for entry in manifest["files"] if entry["path"].endswith("video.mp4")]
    assert entry["title"] == "video, chosen: green"
    assert (
        "a map for one of 3 frames; 7 frames. One colour scale for all frames, from 0 to " in entry["caption"]
    )
    assert "the maximum over 3 frames; higher values have the last colour" in entry["caption"]
    assert entry["value_range"][1] == pytest.approx(
        180 / 255 / POSITIONS, abs=0.002
    )  # of the frames 0, 3 and 6
    maxima = [row["maximum"] for row in rows()]
    assert maxima[0] == maxima[1] == maxima[2] != maxima[3] == maxima[4] == maxima[5] != maxima[6]
    with Image.open("out/class_activation/clip/video.gif") as picture:
        assert picture.size == (WIDTH + 1, HEIGHT + 1)
        assert picture.n_frames in (2, 3)  # ten frames per second


@pytest.mark.usefixtures("run")
def test_a_difference_shows_both_probabilities_and_the_folder_gives_the_true_class(command: Command) -> None:
    Path("green").mkdir()
    Path("clip.mp4").rename("green/clip.mp4")
    choice = "class_activation.classes=[predicted-true]"  # nothing where the prediction is right
    done = command("visualize", "images=[green/clip.mp4]", choice, *GIVEN[:1], *GIVEN[2:])
    assert done.status == 0, done.err
    assert [row["class"] for row in rows()] == ["red − green"] * 4 + ["green"] * 3
    red, green, _ = frames()[3, 0, 0] / 255
    assert float(rows()[3]["maximum"]) == pytest.approx((red - green) / POSITIONS, abs=0.002)
    assert "video, difference: the class of each frame" in [
        file["title"] for file in files_on_page().values()
    ]


@pytest.mark.usefixtures("run")
def test_smoothing_mixes_the_maps_of_one_class_only(command: Command) -> None:
    share = 0.65
    done = command("visualize", *GIVEN, f"class_activation.smoothing={share}")
    assert done.status == 0, done.err
    red, green, _ = frames()[:, 0, 0].T / 255
    probabilities = 1 / (1 + np.exp(green - red))
    smoothed = [probabilities[0]]
    for value in probabilities[1:]:
        smoothed.append(share * smoothed[-1] + (1 - share) * value)
    labels = ["red" if value >= 0.5 else "green" for value in smoothed]
    assert [row["class"] for row in rows()] == labels
    assert labels == ["red"] * 5 + ["green"] * 2  # one frame later than without smoothing
    shown = [float(row["probability"]) for row in rows()]
    assert shown == pytest.approx([max(value, 1 - value) for value in smoothed], abs=0.01)
    heat = red[0]
    for value in red[1:5]:
        heat = share * heat + (1 - share) * value
    maxima = [float(row["maximum"]) for row in rows()]
    assert maxima[4] == pytest.approx(heat / POSITIONS, abs=0.002)
    assert maxima[5] == pytest.approx(green[5] / POSITIONS, abs=0.002)  # a new start


@pytest.mark.usefixtures("run")
def test_an_interrupt_leaves_no_video(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = class_activation_video.FrameBand.draw
    drawn: list[str] = []

    def interrupted(band: class_activation_video.FrameBand, *arguments: object) -> np.ndarray:
        drawn.append(str(arguments[1]))
        if len(drawn) == 5:
            signal.raise_signal(signal.SIGINT)
        return draw(band, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(class_activation_video.FrameBand, "draw", interrupted)
    done = command("visualize", *GIVEN)
    assert done.status == 130
    assert len(drawn) == 5
    assert files() == []
    assert any(path.endswith("red_overlay.png") for path in files_on_page())
    monkeypatch.undo()


@pytest.mark.usefixtures("run")
def test_frames_in_memory_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    video = Video(Path("clip.mp4"), (2000, 3000), RATE, 1000, 33.0)
    assert class_activation_video._at_once(video, 160) == 7  # 18 MB each
    assert class_activation_video._at_once(Video(Path(), (9000, 9000), RATE, 1, 1), 16) == 1


@pytest.mark.usefixtures("run")
def test_a_folder_with_videos_and_photographs_is_drawn(command: Command) -> None:
    Path("both").mkdir()
    Path("clip.mp4").rename("both/clip.mp4")
    save_png(Path("both/photo.png"), np.full((6, 5, 3), 40, np.uint8))
    given = ["images=[both]", "views=[activations]", "hydra.run.dir=out"]
    done = command("visualize", "checkpoint=run", *given)
    assert done.status == 0, done.err
    assert "2 photograph(s)" in done.out
    with Image.open("out/photographs/clip.jpg") as middle:
        assert middle.size == (WIDTH, HEIGHT)
        assert np.abs(np.asarray(middle, int)[30, 40] - frames()[3, 0, 0]).max() <= 8
    assert files() == []


@pytest.mark.usefixtures("run")
def test_several_models_draw_the_frame_in_the_middle(command: Command) -> None:
    done = command("visualize", "compare=[random,run]", *GIVEN[1:])
    assert done.status == 0, done.err
    assert (
        "note: class_activation draws only the frame in the middle of a video for several models" in done.out
    )
    assert files() == []


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot read clip.mp4: zero bytes (the file is empty)"),
        (b"no video" * 99, "cannot read clip.mp4: damaged ("),
    ],
)
def test_a_damaged_video_is_an_error_of_one_line(command: Command, content: bytes, said: str) -> None:
    Path("clip.mp4").write_bytes(content)
    done = command("visualize", *GIVEN)
    assert done.status == 1
    assert done.err.startswith(f"error: {said}")
    assert len(done.err.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.usefixtures("run")
def test_predictions_name_the_view_for_videos(command: Command) -> None:
    save_png(Path("photo.png"), np.full((6, 5, 3), 40, np.uint8))
    done = command("train", "predict=run", "images=[photo.png,clip.mp4]", "hydra.run.dir=predicted")
    assert done.status == 0, done.err
    with Path("predicted/predictions.csv").open(encoding="utf-8", newline="") as file:
        _, row = csv.DictReader(file)
    assert row["error"].startswith("cannot read clip.mp4: a video (expected a photograph; views=")


@pytest.mark.parametrize(("key", "value"), [("every", 0), ("smoothing", 1.0), ("smoothing", -0.1)])
def test_ranges_are_checked(command: Command, key: str, value: float) -> None:
    done = command("visualize", "checkpoint=none", f"class_activation.{key}={value}")
    assert done.status == 1
    assert done.err.startswith(f"error: class_activation.{key}={value} is out of range")
