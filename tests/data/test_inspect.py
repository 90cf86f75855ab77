import re
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tensorflow.keras.preprocessing.image import ImageDataGenerator, load_img

from convscope import decode
from convscope.app.prepare.prepare import prepare
from convscope.config.schema.prepare import FolderConfig, FractionsConfig, PrepareConfig
from convscope.data.inspect import Candidate, inspect
from convscope.data.manifest import open_dataset
from tests.data import corpus


def candidates(folder: Path) -> list[Candidate]:
    return [Candidate(path, "a", path.name, str(path)) for path in sorted(folder.iterdir())]


def test_every_bad_file_is_rejected_with_its_reason(tmp_path: Path) -> None:
    reasons = corpus.write_bad(tmp_path)
    assert len(reasons) >= 50
    kept, rejected = inspect(candidates(tmp_path), min_size=16)
    assert kept == []
    assert {Path(each.source).name: each.reason for each in rejected} == reasons
    assert all(each.detail and "\n" not in each.detail for each in rejected)


def test_every_good_file_is_kept_and_only_plain_files_need_no_conversion(tmp_path: Path) -> None:
    corpus.write_good(tmp_path)
    kept, rejected = inspect(candidates(tmp_path), min_size=16)
    assert rejected == []
    usable = {each.candidate.path.name: each.ending is not None for each in kept}
    assert {name: usable[name] for name in corpus.GOOD} == {n: plain for n, (plain, _) in corpus.GOOD.items()}
    assert {each.ending for each in kept} == {".jpg", ".png", None}
    traits = {each.candidate.path.name: set(each.traits) for each in kept}
    for name, expected in {
        "plain.jpg": set(),
        "exif6.jpg": {"turned by EXIF"},
        "cmyk.jpg": {"CMYK"},
        "hole.png": {"palette", "alpha"},
        "deep.png": {"16 bits"},
        "deep_grey.png": {"16 bits", "grey"},
        "LOUD.JPG": {"ending in capitals"},
        "a_png.jpg": {"wrong ending"},
        "web.webp": {"WEBP"},
        "grey.jpg": {"grey"},
    }.items():
        assert traits[name] == expected, name


def test_the_smallest_size_applies_to_the_shorter_side(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(corpus.encoded("PNG", corpus.scene(40, 20)))
    assert len(inspect(candidates(tmp_path), min_size=20)[0]) == 1
    assert inspect(candidates(tmp_path), min_size=21)[1][0].reason == "too small"


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_rotated_photograph_has_its_upright_size(tmp_path: Path, turn: int) -> None:
    (tmp_path / "a.jpg").write_bytes(corpus.with_exif(turn))
    (found,), _ = inspect(candidates(tmp_path))
    assert (found.width, found.height) == ((40, 48) if turn >= 5 else (48, 40))


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of two classes, good files and bad ones mixed, and the data set made of it."""
    root = tmp_path_factory.mktemp("messy")
    for label in ("Löwen & <i>zahn", "b"):
        corpus.write_good(root / "source" / label)
        corpus.write_bad(root / "source" / label)
    for path in (root / "source" / "b").glob("*.jp*g"):  # else both classes hold the same pictures
        if path.is_file() and path.name in corpus.GOOD:
            pixels = np.rot90(corpus.scene(seed=zlib.crc32(path.name.encode()) % 997 + 100))
            path.write_bytes(corpus.encoded("JPEG", pixels, quality=95))
    dataset = FolderConfig(source=str(root / "source"), name="set", root=str(root))
    config = PrepareConfig(dataset=dataset, split=FractionsConfig())
    return root / "source", prepare(config)


def test_a_messy_folder_becomes_a_data_set(messy: tuple[Path, Path]) -> None:
    source, root = messy
    manifest = open_dataset(root)
    good = 2 * (len(corpus.GOOD) + 1)
    assert len(manifest.images) == good
    assert len(manifest.rejected) == 2 * (len(corpus.BAD) + 2)
    assert len({image.path.casefold() for image in manifest.images}) == good
    for image in manifest.images:
        assert re.fullmatch(r"[^/]+/[^/]+/[^/]{1,200}\.(jpg|png)", image.path)
        assert (root / image.path).resolve().is_relative_to(root)
    assert (root / "train" / "Löwen & _i_zahn").is_dir()
    report = (root / "report.html").read_text("utf-8")
    assert "<i>zahn" not in report
    assert "<b>" not in report
    for reason in {reason for reason, _ in corpus.BAD.values()}:
        assert f"<h3>{reason}: " in report
    assert not list(source.rglob("*.partial"))


def test_both_decoders_read_the_same_pixels_in_every_file(messy: tuple[Path, Path]) -> None:
    _, root = messy
    images = open_dataset(root).images
    for image in images:
        path = root / image.path
        with Image.open(path) as opened:
            assert (opened.mode, opened.getexif().get(decode.ORIENTATION, 1)) in (("RGB", 1), ("L", 1))
        keras_reads = np.asarray(load_img(path)).astype(int)
        opencv_reads = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
        assert keras_reads.shape == (image.height, image.width, 3)
        assert np.abs(keras_reads - opencv_reads).max() <= (0 if image.path.endswith(".png") else 3), (
            image.path
        )


def test_converted_files_have_the_pixels_of_the_source(messy: tuple[Path, Path]) -> None:
    _, root = messy
    converted = [image for image in open_dataset(root).images if image.original]
    assert len(converted) >= 40
    for image in converted:
        source = Path(image.source)
        np.testing.assert_array_equal(decode.load(root / image.path), decode.load(source))
    by_name = {Path(image.source).name: decode.load(root / image.path) for image in converted}
    np.testing.assert_array_equal(by_name["deep.png"], corpus.scene())
    np.testing.assert_array_equal(by_name["web.webp"], corpus.scene(seed=15))
    np.testing.assert_array_equal(by_name["deep_grey.png"][..., 0], corpus.scene(seed=13)[..., 0])
    np.testing.assert_array_equal(by_name["turned.png"], np.rot90(corpus.scene(seed=19), -1))


def test_keras_finds_every_training_image(messy: tuple[Path, Path]) -> None:
    _, root = messy
    flow = ImageDataGenerator().flow_from_directory(root / "train", target_size=(32, 32), batch_size=4)
    assert flow.samples == len(open_dataset(root).of_split("train"))
    batch, _ = next(flow)
    assert batch.shape == (4, 32, 32, 3)
