import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import ConvscopeError
from convscope.images import color_table, resize, save_png
from convscope.models.bundle import Contract, save_model
from convscope.models.snapshots import save_snapshot
from convscope.preprocessing import by_name
from convscope.render.rows import OUTSIDE
from convscope.vis.channel_statistics import ChannelStatistics
from tests.conftest import write_class_folders
from tests.vis import nets

ROOT = Path(__file__).resolve().parent.parent

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)


def network(activation: str = "softmax", units: int = 2) -> keras.Model:
    inner = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3, name="maps")], name="trunk")
    inputs = keras.Input((16, 16, 3), name="pixels")
    x = keras.layers.GlobalAveragePooling2D(name="mean")(inner(inputs))
    return keras.Model(inputs, keras.layers.Dense(units, activation=activation, name="out")(x))


def opened(model: keras.Model) -> convscope.OpenModel:
    return convscope.open_model(model, preprocessing="unit_range", class_names=["a", "b"])


def test_activations_and_predictions_are_those_of_the_model(tmp_path: Path) -> None:
    model = network()
    save_png(tmp_path / "x.png", PIXELS)
    inputs = (resize(PIXELS, 16, 16) / np.float32(255))[None].repeat(2, axis=0)
    ours = opened(model)
    photographs = [tmp_path / "x.png", PIXELS]
    np.testing.assert_allclose(ours.predict(photographs), model.predict_on_batch(inputs), rtol=1e-5)
    found = ours.activations(photographs, ["type:Conv2D", "mean"])
    assert list(found) == ["trunk/maps", "mean"]
    expected = model.get_layer("trunk").predict_on_batch(inputs)
    np.testing.assert_allclose(found["trunk/maps"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["mean"], expected.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_class_activation_explains_classes_of_several_photographs() -> None:
    model = network()
    ours = opened(model)
    other = 255 - PIXELS
    probabilities = ours.predict([PIXELS, other])
    results = ours.class_activation([PIXELS, other], ["a", "predicted", "a-b"])
    expected = [
        (index, target)
        for index, row in enumerate(probabilities)
        for target in (["a", "a − b"] if row[0] > row[1] else ["a", "b", "a − b"])
    ]
    assert [(result.photograph, result.target) for result in results] == expected
    for result in results:
        assert result.probability == pytest.approx(
            probabilities[result.photograph]["ab".index(result.target[0])]
        )
        assert result.method == "grad_cam"  # average pooling follows
        assert result.unit == "logit"
        assert result.heat.shape == (14, 14)
        assert result.heat.dtype == np.float32
    maps = ours.activations([PIXELS], ["trunk/maps"])["trunk/maps"][0]
    weights = model.get_layer("out").get_weights()[0]
    heat = np.maximum(maps @ weights[:, 0] / 196, 0)
    np.testing.assert_allclose(results[0].heat, heat, rtol=1e-4, atol=1e-6)
    logits = maps.mean(axis=(0, 1)) @ weights
    assert results[0].score == pytest.approx(logits[0], abs=1e-5)


def test_later_calls_of_class_activation_run_as_a_graph_and_give_the_same() -> None:
    ours = opened(network("sigmoid", 1))
    calls = [ours.class_activation(PIXELS, ["a", "b"], method="hires_cam") for _ in range(3)]
    for call in calls[1:]:
        for first, later in zip(calls[0], call, strict=True):
            np.testing.assert_allclose(first.heat, later.heat, rtol=1e-4, atol=1e-6)
            assert later.score == pytest.approx(first.score, abs=1e-5)
    for_a, for_b = calls[0]
    assert for_a.score == -for_b.score
    assert for_a.probability + for_b.probability == pytest.approx(1)


def test_an_explanation_shows_itself() -> None:
    explanation = opened(network()).class_activation(PIXELS)[0]
    assert repr(explanation).startswith(f"<Explanation of {explanation.target} (")
    assert explanation._repr_png_().startswith(b"\x89PNG")
    assert explanation.overlay().size == (40, 30)
    assert convscope.CAM_METHODS["grad_cam"] == "Grad-CAM"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "c"}, "no class 'c'"),
        ({"method": "cam"}, "no method 'cam': did you mean grad_cam"),
        ({"layer": "mean"}, "has no feature maps"),
    ],
)
def test_wrong_options_of_class_activation_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConvscopeError, match=message):
        opened(network()).class_activation(PIXELS, **options)


def test_file_gives_the_same_as_memory_and_a_sigmoid_has_two_classes(tmp_path: Path) -> None:
    model = network("sigmoid", 1)
    model.save(tmp_path / "m.keras")
    ours = convscope.open_model(tmp_path / "m.keras", preprocessing="unit_range", class_names=["a", "b"])
    np.testing.assert_array_equal(ours.predict([PIXELS]), opened(model).predict([PIXELS]))
    assert ours.predict([PIXELS]).sum() == pytest.approx(1)


def test_grid_is_a_picture_with_every_channel() -> None:
    maps = opened(network()).activations([PIXELS], ["maps"])["trunk/maps"][0]
    for normalize in ("channel", "layer"):
        picture = convscope.grid(maps, title="maps", normalize=normalize)
        assert picture.mode == "RGB"
        assert picture.width > 4 * 84
    with pytest.raises(ConvscopeError, match="expected channel or layer"):
        convscope.grid(maps, normalize="own")
    with pytest.raises(ConvscopeError, match="expected the maps of one photograph"):
        convscope.grid(maps[None])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"color_map": "viridi"}, "no colour map 'viridi': did you mean viridis"),
        ({"title": "a\nb"}, "expected one line"),
        ({"title": "a\r"}, "expected one line"),
        ({"range": (0, np.inf)}, "expected .lowest, highest."),
        ({"maps": np.zeros((0, 3, 2))}, "maps of shape .0, 3, 2."),
        ({"maps": np.zeros((3, 3, 0))}, "maps of shape .3, 3, 0."),
        ({"maps": np.full((3, 3, 2), np.nan)}, "not finite"),
        ({"maps": np.full((3, 3, 2), np.inf)}, "not finite"),
    ],
)
def test_wrong_arguments_of_grid_are_refused_in_one_line(given: dict, said: str) -> None:
    with pytest.raises(ConvscopeError, match=said) as error:
        convscope.grid(**{"maps": np.ones((3, 3, 2))} | given)
    assert len(str(error.value).splitlines()) == 1


def test_grid_of_single_pixels_shows_their_values() -> None:
    picture = convscope.grid(np.array([[[0.0, 1.0, 2.0, 4.0]]], np.float32))  # zero is hatched
    for level in (64, 128, 255):  # a quarter, a half and all of the range; a tile is 24 pixels wide
        assert color_of(picture, level) == pytest.approx(24**2, abs=20)


def test_meaning_of_the_outputs_is_an_option() -> None:
    inputs = keras.Input((3, 3, 3))
    flat = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 1)(inputs))
    model = keras.Model(inputs, keras.layers.Rescaling(1.0)(flat))
    said = {"preprocessing": "unit_range", "class_names": ["a", "b"]}
    with pytest.raises(ConvscopeError, match="outputs=probabilities or outputs=logits"):
        convscope.open_model(model, **said)
    with pytest.raises(ConvscopeError, match="did you mean logits"):
        convscope.open_model(model, **said, outputs="logit")
    logits = convscope.open_model(model, **said, outputs="probabilities").predict([PIXELS])
    found = convscope.open_model(model, **said, outputs="logits").predict([PIXELS])
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)


def color_of(picture: object, level: int) -> int:
    """Return the number of pixels with the colour of a level."""
    return int((np.asarray(picture) == color_table("viridis")[level]).all(axis=-1).sum())


def test_color_of_a_value_depends_on_the_given_scale_only() -> None:
    maps = np.zeros((2, 2, 2), np.float32)
    maps[0, 0] = 2, 4
    pixels = 48**2  # a tile is 96 pixels wide
    assert color_of(convscope.grid(maps, range=(0, 4)), 128) == pytest.approx(pixels, abs=20)  # and the bar
    assert color_of(convscope.grid(maps * 10, range=(0, 40)), 128) == pytest.approx(pixels, abs=20)
    none = (0.0, (np.zeros(1), np.zeros(2)))
    seen = ChannelStatistics(10, np.array([2.0, 8.0]), None, *none)
    picture = convscope.grid(maps, statistics=seen)
    assert color_of(picture, 255) == pytest.approx(pixels, abs=20)  # 2 of 2
    assert color_of(picture, 128) == pytest.approx(pixels, abs=20)  # 4 of 8
    for given, said in (
        ({"range": (1, 1)}, "expected .lowest, highest."),
        ({"range": (1,)}, "expected .lowest, highest."),
        (
            {"statistics": ChannelStatistics(1, np.ones(3), None, *none)},
            "the statistics have 3 channels, but the maps have 2",
        ),
    ):
        with pytest.raises(ConvscopeError, match=said):
            convscope.grid(maps, **given)


def reds(*highest: int) -> list[np.ndarray]:
    """Return black pictures of 3 x 3 with one red pixel in the first row, at the index of the picture."""
    pictures = np.zeros((len(highest), 3, 3, 3), np.uint8)
    for index, value in enumerate(highest):
        pictures[index, 0, index % 3, 0] = value
    return list(pictures)


def test_examples_are_the_pictures_with_the_highest_values_and_their_crops(tmp_path: Path) -> None:
    model = opened(nets.classifier(np.eye(2), "softmax"))  # channel 0: red less green; channel 1: blue plus 1
    pictures = reds(51, 255, 102)
    save_png(tmp_path / "second.png", pictures[1])
    found = model.examples([pictures[0], tmp_path / "second.png", pictures[2]], ["maps"], top=2)["maps"]
    np.testing.assert_allclose(found.value, [[1, 0.4], [1, 1]], rtol=1e-6)
    np.testing.assert_array_equal(found.photograph, [[1, 2], [0, 1]])  # ties in the order of the photographs
    np.testing.assert_array_equal(found.silent, [[False] * 2, [True] * 2])
    assert (found.crops[0, 0] == (255, 0, 0)).all()  # a 1 x 1 convolution sees one pixel
    assert (found.crops[0, 1] == (102, 0, 0)).all()
    assert not (found.crops == OUTSIDE).any()
    many = model.examples(reds(*range(1, 41)), ["maps"], top=1, limit=1)["maps"]  # more than a batch
    assert many.photograph.tolist() == [[39]]
    with pytest.raises(ConvscopeError, match="no photographs"):
        model.examples([], ["maps"])
    for wrong in ({"top": 0}, {"limit": -1}):
        with pytest.raises(ConvscopeError, match="expected top >= 1 and limit >= 0"):
            model.examples(pictures, ["maps"], **wrong)
    with pytest.raises(ConvscopeError, match="choose convolution layers in layers"):
        model.examples(pictures, ["type:Dense"])


def test_statistics_by_hand(tmp_path: Path) -> None:
    model = opened(nets.classifier(np.eye(2), "softmax"))
    found = model.statistics([np.full((3, 3, 3), 255, np.uint8)] * 40, ["maps"])["maps"]
    assert found.pictures == 40
    np.testing.assert_allclose(found.high, [0, 2], rtol=1 / 16)  # red less green; blue plus 1
    assert found.dead is None  # too few photographs


def test_channels_by_hand() -> None:
    """The mean of red less green is a ninth of the red pixel, that of blue plus one is one."""
    model = opened(nets.classifier(np.eye(2), "softmax"))
    pictures = reds(0, 255, 102)
    found = model.channels("maps", pictures, ["b", "a", "a"])
    assert (found.layer, found.classes, found.left_out) == ("maps", ["a", "b"], [])
    np.testing.assert_array_equal(found.photographs, [0, 1, 2])
    np.testing.assert_allclose(found.peaks, [[0, 1], [1, 1], [0.4, 1]], rtol=1e-6)
    np.testing.assert_allclose(found.means, [[0, 1], [1 / 9, 1], [0.4 / 9, 1]], rtol=1e-6)
    np.testing.assert_allclose(found.sparsity, [25 / 27, 0], rtol=1e-6)
    np.testing.assert_allclose(found.push, [[1.4 / 27, 0], [0, 1]], rtol=1e-5)
    assert found.removed.tolist() == [0, 1]
    np.testing.assert_array_equal(found.accuracy, [[0, 0], [0, 0]])  # all are b, and remain so
    before, without = np.exp([0, 1]), np.exp([1.4 / 27, 1])  # of the black picture
    change = without[1] / without.sum() - before[1] / before.sum()
    np.testing.assert_allclose(found.probability[0, 1], change, rtol=1e-4)
    assert found.probability[1].tolist() == [0, 0]  # the second channel is its mean already
    assert (found.similar, found.inputs) == ([[], []], [[], []])  # it is constant
    assert [[(model.layers[link.layer].kind, link.channel) for link in links] for links in found.outputs] == [
        [("Dense", 0)],
        [("Dense", 1)],
    ]
    assert model.channels("maps", pictures).removed.size == 0
    for layer, labels, said in (
        ("maps", ["a"], "1 labels for 3 photographs: expected one for each"),
        ("maps", ["a", "b", "c"], "no class 'c': expected one of a, b"),
        ("type:Dense", None, "choose convolution layers in layer"),
    ):
        with pytest.raises(ConvscopeError, match=said):
            model.channels(layer, pictures, labels)
    with pytest.raises(ConvscopeError, match="no photographs"):
        model.channels("maps", [])


def run_with_snapshots(path: Path, model: keras.Model, classes: list[str]) -> None:
    """A run in which the first epoch doubled the first weights."""
    path.mkdir(parents=True)
    save_model(model, path)
    Contract("by hand", classes, model.input_shape[1:3], by_name("unit_range")).write(path)
    kernel, *rest = model.get_weights()
    save_snapshot(model, 0, path)
    model.set_weights([2 * kernel, *rest])
    save_snapshot(model, 3, path)


def test_evolution_has_the_maps_of_each_epoch(tmp_path: Path) -> None:
    run_with_snapshots(tmp_path / "run", nets.classifier(np.eye(2), "softmax"), ["a", "b"])
    course = convscope.evolution(tmp_path / "run", reds(255)[0], ["maps"], [1, 0])
    assert course.epochs == [0, 3]
    maps = course.maps["maps"]
    assert (maps.shape, maps.dtype) == ((2, 3, 3, 2), np.float32)
    np.testing.assert_array_equal(maps[..., 0], np.ones((2, 3, 3)))
    np.testing.assert_array_equal(maps[:, 0, 0, 1], [1, 2])
    assert maps[:, 1:, :, 1].max() == 0
    for channels in ([2], [-1]):
        with pytest.raises(ConvscopeError, match="maps has the channels 0 to 1"):
            convscope.evolution(tmp_path / "run", reds(255)[0], ["maps"], channels)
    (tmp_path / "run/snapshots").rename(tmp_path / "elsewhere")
    with pytest.raises(ConvscopeError, match="train with callbacks="):
        convscope.evolution(tmp_path / "run", reds(255)[0])


class Block(keras.layers.Layer):
    """A custom layer in a file."""

    def call(self, inputs: object) -> object:
        return inputs


def test_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 9, activation="relu", name="mixed10")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    model.save("theirs.h5")
    keras.Model(inputs, model(Block()(inputs))).save("theirs.keras")
    run_with_snapshots(Path("outputs/train/2026-11-21_10-00-00"), model, ["cat", "dog"])
    Path("outputs/train/latest").symlink_to("2026-11-21_10-00-00")
    Path("photos").mkdir()
    for name in ("rex.jpg", "photos/a.jpg", "photos/b.jpg"):
        keras.utils.save_img(name, PIXELS)
    scope: dict[str, object] = {"Block": Block}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/api.md").read_text("utf-8"), re.DOTALL)
    stages, *others = blocks
    for block in others:
        exec(block.replace("size=299", "size=16"), scope)
    assert len(blocks) == 12
    monkeypatch.setenv("HOME", str(tmp_path))
    write_class_folders(Path("photos/pets"))
    exec(stages.replace('"epochs": 15', '"epochs": 1'), scope)  # last, because it makes another latest run
    assert scope["run"].metrics["test"]["images"] > 0  # type: ignore[attr-defined]
    assert scope["page"].path.is_file()  # type: ignore[attr-defined]
    assert scope["maps"]["mixed10"].shape == (1, 8, 8, 8)  # type: ignore[index]
    assert scope["explanation"].heat.shape == (8, 8)  # type: ignore[attr-defined]
    assert scope["course"].maps["mixed10"].shape == (2, 8, 8, 2)  # type: ignore[attr-defined]
    assert scope["patterns"].pictures.shape == (2, 16, 16, 3)  # type: ignore[attr-defined]
    assert scope["result"].value[0] > scope["result"].growth[0, 0]  # type: ignore[attr-defined]


def test_patterns_are_those_of_the_channels_and_show_themselves() -> None:
    model = opened(network())
    found = model.patterns(["trunk/maps", "out"], [1], steps=4)
    assert list(found) == ["trunk/maps", "out"]
    maps, units = found["trunk/maps"], found["out"]
    responses = model.activations(list(maps.pictures), ["trunk/maps"])["trunk/maps"][0, :, :, 1]
    assert maps.peak[0] == pytest.approx(responses.max(), rel=1e-5)
    assert maps.mean[0] == pytest.approx(np.maximum(responses, 0).mean(), rel=1e-4, abs=1e-6)
    assert units.growth.shape == (1, 4)
    assert repr(units).startswith("<LayerPatterns of out: 1 picture of 16×16, fourier, highest responses")
    assert maps._repr_png_().startswith(b"\x89PNG")
    logits = model.patterns("logits", [1], steps=4)["logits"]
    np.testing.assert_array_equal(logits.pictures, units.pictures)


def test_patterns_choose_evenly_spread_channels_and_another_objective() -> None:
    model = opened(network())
    assert model.patterns("maps", steps=1)["trunk/maps"].channels.tolist() == [0, 1, 2, 3]
    centre = model.patterns("maps", [2], steps=6, objective=convscope.ascent.At(0, 0))["trunk/maps"]
    at_corner = model.activations(list(centre.pictures), ["maps"])["trunk/maps"][0, 0, 0, 2]
    assert at_corner > centre.growth[0, 0]
    assert not centre.exact.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "map"}, "no layer 'map'"),
        ({"layers": []}, "no layers: expected one or more"),
        ({"layers": "mean"}, "has no feature maps"),
        ({"channels": [4]}, "no channel 4 in trunk/maps: expected 0 to 3"),
        ({"channels": [-1]}, "no channel -1 in trunk/maps"),
        ({"channels": []}, "channels=.*: expected one or more"),
        ({"method": "macho"}, "no method 'macho': did you mean maco"),
        ({"size": 8}, "size=8 is out of range"),
        ({"steps": 0}, "steps=0 is out of range"),
    ],
)
def test_wrong_options_of_patterns_are_refused_in_one_line(options: dict, message: str) -> None:
    with pytest.raises(ConvscopeError, match=message) as error:
        opened(network()).patterns(**{"layers": "maps", "steps": 1} | options)
    assert len(str(error.value).splitlines()) == 1


def test_ascend_gives_a_picture_for_each_objective() -> None:
    model, ascent = opened(network()), convscope.ascent
    both = [ascent.channel("trunk/maps", index) - ascent.logit(0) for index in (0, 3)]
    result = model.ascend(both, frame_every=32)
    alone = model.ascend(both[0])
    np.testing.assert_array_equal(result.pictures[0], alone.pictures[0])
    assert result.frames is not None
    assert (result.frames.shape, result.growth.shape) == ((2, 2, 16, 16, 3), (2, 64))
    assert (result.value > result.growth[:, 0]).all()
    assert repr(result).startswith("<AscentResult: 2 pictures of 16×16, objectives ")
    assert result._repr_png_().startswith(b"\x89PNG")
    for wrong in ([], ascent.logit(2), [ascent.logit(0), 2 * ascent.logit(0)]):
        with pytest.raises(ConvscopeError):
            model.ascend(wrong)


def test_arrays_that_are_not_photographs_are_refused() -> None:
    with pytest.raises(ConvscopeError, match=r"float64 \(30, 40, 3\): expected uint8"):
        opened(network()).predict([PIXELS / 255])


def test_importing_convscope_imports_no_keras() -> None:
    code = (
        "import convscope, sys; dir(convscope); print({'keras', 'tensorflow'} & set(sys.modules)); "
        "convscope.nothing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()"
    assert "has no attribute 'nothing'" in done.stderr


def test_model_of_any_size_needs_input_size() -> None:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3, name="only")(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    said = {"preprocessing": "none", "class_names": ["a", "b"]}
    with pytest.raises(ConvscopeError, match="set input_size=PIXELS"):
        convscope.open_model(model, **said)
    maps = convscope.open_model(model, **said, input_size=20).activations(
        [np.zeros((30, 40, 3), np.uint8)], ["only"]
    )
    assert maps["only"].shape == (1, 18, 18, 2)


def test_options_that_do_not_apply_are_refused(tmp_path: Path) -> None:
    run_with_snapshots(tmp_path / "run", nets.classifier(np.eye(2), "softmax"), ["a", "b"])
    with pytest.raises(ConvscopeError, match=r"^input_size, output given for .*: expected none of them"):
        convscope.open_model(tmp_path / "run", input_size=999, output="nonsense")
    with pytest.raises(TypeError, match=r"no option .input_sise.: expected preprocessing, scale"):
        convscope.open_model(tmp_path / "run", input_sise=999)


def test_affine_preprocessing_takes_numbers() -> None:
    options = {"preprocessing": "affine", "scale": 1 / 255, "offset": 0, "class_names": ("a", "b")}
    model = network()
    found = convscope.open_model(model, **options).predict([PIXELS])
    np.testing.assert_allclose(found, opened(model).predict([PIXELS]), rtol=1e-6)


def test_one_photograph_needs_no_list(tmp_path: Path) -> None:
    model = opened(network())
    save_png(tmp_path / "x.png", PIXELS)
    expected = model.predict([PIXELS])
    for photograph in (
        str(tmp_path / "x.png"),
        tmp_path / "x.png",
        PIXELS,
        PIXELS[None],
        Image.fromarray(PIXELS),
    ):
        np.testing.assert_array_equal(model.predict(photograph), expected)
    assert model.activations(PIXELS, ["mean"])["mean"].shape == (1, 4)
    many = model.examples(tmp_path / "x.png", ["trunk/maps"], top=1)["trunk/maps"]
    assert many.photograph.tolist() == [[0]] * 4
    assert model.statistics(Image.fromarray(PIXELS), ["trunk/maps"])["trunk/maps"].pictures == 1


def test_pictures_of_pillow_are_read_as_files_are(tmp_path: Path) -> None:
    model = opened(network())
    transparent = Image.fromarray(np.dstack([PIXELS, PIXELS[..., :1]]), "RGBA")
    transparent.save(tmp_path / "transparent.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=turned)
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            np.testing.assert_array_equal(model.encode(image), model.encode(path), err_msg=path.name)
    grid = convscope.grid(np.ones((3, 3, 2), np.float32))
    assert model.predict([grid, tmp_path / "grey.png"]).shape == (2, 2)
    with pytest.raises(ConvscopeError, match="cannot read the Pillow image: unsupported"):
        model.predict(Image.fromarray(PIXELS[..., 0].astype(np.float32)))


def test_model_is_shown_in_one_line_and_as_a_table() -> None:
    model = convscope.open_model(network(), preprocessing="unit_range", class_names=["<a>", "b"])
    name = model.bundle.contract.name
    assert repr(model) == (
        f"<OpenModel model {name}, from {name}, input 16×16 pixels, preprocessing unit_range, "
        "classes 2 (<a>, b), layers 4, parameters 122>"
    )
    assert len(repr(model.bundle)) < 500
    table = model._repr_html_()
    assert "<tr><th>classes</th><td>2 (&lt;a&gt;, b)</td></tr>" in table
    names = [f"class {index}" for index in range(40)]
    many = convscope.open_model(network(units=40), preprocessing="unit_range", class_names=names)
    assert "classes 40 (class 0, class 1, class 2, class 3, class 4, …)" in repr(many)


def test_opening_prints_nothing_and_keeps_the_progress_bars_of_keras(tmp_path: Path) -> None:
    run_with_snapshots(tmp_path / "run", nets.classifier(np.eye(2), "softmax"), ["a", "b"])
    code = (
        "import convscope, numpy as np\n"
        f"model = convscope.open_model({str(tmp_path / 'run')!r})\n"
        "model.predict(np.zeros((3, 3, 3), np.uint8))\n"
        "import keras\n"
        "assert keras.utils.is_interactive_logging_enabled()"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_help_and_dir_list_the_public_api() -> None:
    names = set(convscope.__all__)
    assert names <= set(dir(convscope))
    text = pydoc.render_doc(convscope, renderer=pydoc.plaintext)
    for name in (
        "class OpenModel",
        "open_model(source",
        "grid(maps",
        "evolution(run",
        "predict(self",
        "class Evolution",
    ):
        assert name in text
    for name in names:
        assert f"`{name}" in (convscope.__doc__ or "")
