import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.app.prepare import write
from convscope.app.prepare.assign_images import LINKS_SPLITS, NO_SPLIT
from convscope.app.prepare.prepare import prepare
from convscope.config.schema.prepare import (
    ExtendConfig,
    FolderConfig,
    FractionsConfig,
    InspectConfig,
    Link,
    PredefinedConfig,
    PrepareConfig,
    ProceduralConfig,
    SplitConfig,
)
from convscope.data.manifest import Manifest, open_dataset
from convscope.data.split import ALGORITHM, Fractions
from convscope.errors import ConvscopeError
from convscope.images import save_png
from tests.data.corpus import scene

OF_DISK = {"manifest.json", "report.html"}


def config(source: Path, root: Path, split: SplitConfig | None = None, **options: object) -> PrepareConfig:
    dataset = FolderConfig(name="set", root=str(root), source=str(source))
    return PrepareConfig(dataset=dataset, split=split or FractionsConfig(), **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def split_of(manifest: Manifest) -> dict[str, str]:
    return {image.key: image.split for image in manifest.images}


def draw(source: Path, first: int, *names: str) -> None:
    """Write different pictures to the paths `names` below `source`; `first` is the seed of the first one."""
    for seed, name in enumerate(names, first):
        save_png(source / name, scene(64, 48, seed))


def test_the_manifest_describes_the_files_on_disk(class_folders: Path, tmp_path: Path) -> None:
    root = prepare(config(class_folders, tmp_path / "data"))
    manifest = open_dataset(root)
    assert manifest.classes == ["dark", "light"]
    assert manifest.source == {"folder": str(class_folders), "version": None, "licence": None}
    assert {image.path for image in manifest.images} | OF_DISK == set(contents(root))
    for image in manifest.images:
        path = root / image.path
        assert image.path.split("/")[:2] == [image.split, image.label]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == image.sha256
        assert Path(image.source).read_bytes() == path.read_bytes()
        with Image.open(path) as picture:
            assert picture.size == (image.width, image.height)
    assert Counter(image.split for image in manifest.images) == {"train": 14, "validation": 2, "test": 4}
    pixels = np.concatenate(
        [np.asarray(Image.open(root / image.path)).reshape(-1, 3) for image in manifest.of_split("train")]
    )
    np.testing.assert_allclose(manifest.pixels["mean"], pixels.mean(axis=0), atol=0.006)
    np.testing.assert_allclose(manifest.pixels["deviation"], pixels.std(axis=0), atol=0.006)


def test_pictures_with_the_same_stem_get_different_paths(class_folders: Path, tmp_path: Path) -> None:
    inner = class_folders / "dark" / "more"
    inner.mkdir()
    for path in sorted((class_folders / "dark").glob("*.png")):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".jpg"))
            picture.rotate(180).save(inner / path.name)
    manifest = open_dataset(prepare(config(class_folders, tmp_path / "data")))
    assert len({image.path.casefold() for image in manifest.images}) == 40


def test_the_result_does_not_depend_on_the_order_of_the_listing(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(config(class_folders, tmp_path / "one"))
    listed = os.walk

    def shuffled(top: object, **options: object) -> object:
        for parent, folders, files in listed(top, **options):
            random.Random(1).shuffle(files)
            folders.reverse()
            yield parent, folders, files

    monkeypatch.setattr(os, "walk", shuffled)
    second = prepare(config(class_folders, tmp_path / "two"))
    assert contents(first) == contents(second)


def test_classes_can_be_selected_and_ordered(class_folders: Path, tmp_path: Path) -> None:
    settings = config(class_folders, tmp_path / "data")
    settings.dataset.classes = ["light", "dark"]
    assert open_dataset(prepare(settings)).classes == ["light", "dark"]


def test_duplicates_stay_in_one_split_and_conflicts_are_listed(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    draw(source, 0, *(f"{label}/{index}.png" for label in "ab" for index in range(12)))
    for index in range(4):
        copy = Image.open(source / "a" / f"{index}.png")
        copy.save(source / "a" / f"again{index}.jpg", quality=60)
    (source / "b" / "wrong.png").write_bytes((source / "a" / "5.png").read_bytes())
    manifest = open_dataset(prepare(config(source, tmp_path / "data")))
    by_path = {image.path: image for image in manifest.images}
    assert Counter(each["kind"] for each in manifest.duplicates) == {"near": 4, "exact": 1}
    for each in manifest.duplicates:
        assert len({by_path[path].split for path in each["images"]}) == 1
    (conflict,) = manifest.conflicts
    assert conflict["classes"] == ["a", "b"]
    assert sorted(by_path[path].key for path in conflict["images"]) == ["a/5.png", "b/wrong.png"]
    assert len(manifest.images) == 29


def test_folds_share_the_files_and_every_image_is_validated_once(class_folders: Path, tmp_path: Path) -> None:
    root = prepare(config(class_folders, tmp_path / "data", FractionsConfig(folds=4)))
    folds = [open_dataset(root, number) for number in range(4)]
    assert folds[0].images == open_dataset(root).images
    validated = Counter(image.path for each in folds for image in each.of_split("validation"))
    tested = {image.path for image in folds[0].of_split("test")}
    assert set(validated.values()) == {1}
    assert set(validated) | tested == {image.path for image in folds[0].images}
    plain = open_dataset(prepare(config(class_folders, tmp_path / "plain")))
    assert {image.key for image in plain.of_split("test")} == {
        image.key for image in folds[2].of_split("test")
    }
    for each in folds:
        assert {image.path for image in each.of_split("test")} == tested
        assert each.counts()["validation"] == {"dark": 2, "light": 2}
    images = [path for path in contents(root) if path.endswith(".png")]
    assert len(images) == 20
    with pytest.raises(ConvscopeError, match="expected 0 to 3"):
        open_dataset(root, 4)


@pytest.mark.parametrize("folds", [0, 3])
def test_added_images_move_no_other_image(class_folders: Path, tmp_path: Path, folds: int) -> None:
    root = prepare(config(class_folders, tmp_path / "data", FractionsConfig(folds=folds)))
    before = open_dataset(root)
    of_fold = [split_of(open_dataset(root, number)) for number in range(folds)]
    bytes_before = contents(root)
    draw(
        class_folders,
        100,
        *(f"{label}/new{index}.png" for label in ("dark", "light", "third") for index in range(10)),
    )
    (class_folders / "dark" / "0.png").unlink()  # what is in the data set stays
    prepare(config(class_folders, tmp_path / "data", ExtendConfig()))
    after = open_dataset(root)
    assert split_of(after).items() >= split_of(before).items()
    assert len(after.images) == 50
    assert after.classes == ["dark", "light", "third"]
    assert after.split == before.split
    assert contents(root).items() >= {k: v for k, v in bytes_before.items() if k.endswith(".png")}.items()
    for label in ("dark", "light"):
        found = {part: after.counts()[part][label] for part in ("train", "validation", "test")}
        exact = Fractions(0.15, 0.2, "remainder").counts(20)
        if not folds:
            assert all(abs(found[part] - exact[part]) <= 1 for part in found)
    for number in range(folds):
        assert split_of(open_dataset(root, number)).items() >= of_fold[number].items()
    unchanged = contents(root)
    prepare(config(class_folders, tmp_path / "data", ExtendConfig()))
    assert contents(root) == unchanged


def test_a_new_image_that_links_two_splits_is_left_out(tmp_path: Path) -> None:
    source, root = tmp_path / "photos", tmp_path / "data"
    draw(source, 0, *(f"{label}/{index}.png" for label in "ab" for index in range(20)))
    before = split_of(open_dataset(prepare(config(source, root))))
    one = next(key for key, part in before.items() if part == "train")
    other = next(key for key, part in before.items() if part == "test")
    (source / "a" / "same.png").write_bytes((source / one).read_bytes())
    first, second = (np.asarray(Image.open(source / key), np.float64) for key in (one, other))
    for step in range(1, 32):  # a picture half-way is near to both
        mixed = first + (second - first) * step / 32
        save_png(source / "a" / f"mixed{step:02}.png", mixed.round().astype(np.uint8))
    prepare(config(source, root, ExtendConfig(), inspect=InspectConfig(near=12)))
    manifest = open_dataset(root / "set")
    assert split_of(manifest).items() >= before.items()
    left_out = [each for each in manifest.rejected if each["reason"] == LINKS_SPLITS]
    assert left_out
    assert left_out[0]["detail"].endswith("test and train")
    after = split_of(manifest)
    near_one, near_other = after.get("a/mixed01.png"), after.get("a/mixed31.png")
    assert (near_one, near_other) == ("train", "test")


def test_a_predefined_split_is_kept_and_leaks_are_removed_from_train(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    names = [
        f"{part}/{label}/{n}.png" for part in ("train", "val", "test") for label in "ab" for n in range(5)
    ]
    draw(source, 0, *names)
    (source / "train" / "a" / "leak.png").write_bytes((source / "test" / "a" / "1.png").read_bytes())
    draw(source, 90, "elsewhere/a/1.png")
    manifest = open_dataset(prepare(config(source, tmp_path / "data", PredefinedConfig())))
    folder_of = {"train": "train", "validation": "val", "test": "test"}
    assert all(image.key.startswith(folder_of[image.split]) for image in manifest.images)
    assert len(manifest.images) == 30
    assert {(Path(each["source"]).name, each["reason"]) for each in manifest.rejected} == {
        ("leak.png", LINKS_SPLITS),
        ("1.png", NO_SPLIT),
    }


def test_a_missing_predefined_split_is_taken_from_train(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    draw(
        source,
        0,
        *(f"{part}/{label}/{n}.png" for part in ("train", "test") for label in "ab" for n in range(20)),
    )
    manifest = open_dataset(prepare(config(source, tmp_path / "data", PredefinedConfig())))
    assert all((image.split == "test") == image.key.startswith("test/") for image in manifest.images)
    assert manifest.counts() == {
        "train": {"a": 17, "b": 17},
        "validation": {"a": 3, "b": 3},
        "test": {"a": 20, "b": 20},
    }


def test_a_missing_predefined_split_with_the_fraction_0_stays_empty(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    draw(
        source,
        0,
        *(f"{part}/{label}/{n}.png" for part in ("train", "val") for label in "ab" for n in range(3)),
    )
    manifest = open_dataset(prepare(config(source, tmp_path / "data", PredefinedConfig(test=0))))
    assert manifest.counts() == {"train": {"a": 3, "b": 3}, "validation": {"a": 3, "b": 3}, "test": {}}


@pytest.mark.parametrize("link", Link)
def test_images_are_linked_as_configured(class_folders: Path, tmp_path: Path, link: Link) -> None:
    (class_folders / "dark" / "web.webp").write_bytes(b"")
    Image.fromarray(scene()).save(class_folders / "dark" / "web.webp")
    root = prepare(config(class_folders, tmp_path / "data", FractionsConfig(link=link)))
    for image in open_dataset(root).images:
        path, source = root / image.path, Path(image.source)
        if image.original:  # converted: never a link
            assert not path.is_symlink()
            assert path.stat().st_nlink == 1
            continue
        assert path.is_symlink() == (link is Link.symlink)
        assert (path.stat().st_ino == source.stat().st_ino) == (link is not Link.copy)
        assert path.read_bytes() == source.read_bytes()


def test_a_link_that_fails_is_an_error_of_one_line(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ConvscopeError, match=r"set split.link=copy"):
        prepare(config(class_folders, tmp_path / "data", FractionsConfig(link=Link.hardlink)))
    assert len(open_dataset(prepare(config(class_folders, tmp_path / "data"))).images) == 20


def test_a_data_set_of_an_earlier_algorithm_is_kept_with_a_note(
    class_folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(class_folders, tmp_path / "data")
    root = prepare(settings)
    content = json.loads((root / "manifest.json").read_text())
    assert content["split"].pop("algorithm") == ALGORITHM
    assert content["split_sha256"] == open_dataset(root).split_sha256
    assert f"{content['split_sha256'][:12]} (hash of the membership)" in capsys.readouterr().out
    (root / "manifest.json").write_text(json.dumps(content))
    before = contents(root)
    prepare(settings)
    assert f"into splits (algorithm 1); with overwrite=true, this version (algorithm {ALGORITHM})" in (
        capsys.readouterr().out
    )
    assert contents(root) == before


def test_missing_images_are_detected(class_folders: Path, tmp_path: Path) -> None:
    settings = config(class_folders, tmp_path / "data")
    root = prepare(settings)
    (root / open_dataset(root).images[0].path).unlink()
    with pytest.raises(ConvscopeError, match="1 of the 20 images"):
        prepare(settings)
    settings.overwrite = True
    prepare(settings)
    assert len(contents(root)) == 22


def test_a_failed_run_leaves_the_old_data_set_unchanged(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = prepare(config(class_folders, tmp_path / "data"))
    before = contents(root)
    written = []
    link_or_copy = write.link_or_copy

    def full_disk(*arguments: object) -> None:
        written.append(1)
        if len(written) > 7:
            raise OSError(28, "No space left on device")
        link_or_copy(*arguments)

    settings = config(class_folders, tmp_path / "data", FractionsConfig(seed=5), overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(write, "link_or_copy", full_disk)
        with pytest.raises(OSError, match="No space left"):
            prepare(settings)
    assert contents(root) == before
    assert [path.name for path in root.parent.iterdir()] == ["set"]
    prepare(settings)
    assert contents(root) != before


def test_a_full_disk_leaves_the_old_data_set_unchanged(class_folders: Path, tmp_path: Path) -> None:
    """The process may write at most 20 kB per file; one image is larger, so the system refuses it."""
    save_png(
        class_folders / "dark" / "large.png",
        np.random.default_rng(0).integers(0, 255, (120, 120, 3), np.uint8),
    )
    settings = "dataset=folder", "dataset.name=set", f"dataset.source={class_folders}"
    script = Path(__file__).parents[2] / "create_train_val_test.py"
    limited = (
        "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); sys.argv = sys.argv[1:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    prepare(config(class_folders, tmp_path / "data"))
    before = contents(tmp_path / "data")
    done = subprocess.run(
        [sys.executable, "-c", limited, script, *settings, "overwrite=true", "split.link=copy"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "error: " in done.stderr.splitlines()[-1]
    assert "File too large" in done.stderr.splitlines()[-1]
    assert contents(tmp_path / "data") == before


def test_leftovers_of_a_killed_run_are_removed(class_folders: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "data" / ".set.partial" / "train" / "x"
    leftover.mkdir(parents=True)
    root = prepare(config(class_folders, tmp_path / "data"))
    assert not (root / "train" / "x").exists()
    assert [path.name for path in root.parent.iterdir()] == ["set"]


def test_the_flowers_are_split_by_the_fractions_within_one_group(shared: Path, tmp_path: Path) -> None:
    root = prepare(config(shared / "data" / "flowers", tmp_path / "data"))
    manifest = open_dataset(root)
    largest = max(len(each["images"]) for each in manifest.duplicates)
    counts = manifest.counts()
    for label in manifest.classes:
        exact = Fractions(0.15, 0.2, "remainder").counts(sum(counts[part][label] for part in counts))
        assert all(abs(counts[part][label] - exact[part]) <= largest for part in exact)
    assert (len(manifest.images), len(manifest.rejected)) == (4064, 0)


def test_procedural_pictures_keep_their_masks_when_the_data_set_is_extended(tmp_path: Path) -> None:
    def drawn(count: int, split: SplitConfig) -> Manifest:
        dataset = ProceduralConfig(
            name="p", root=str(tmp_path), classes=["rose", "daisy"], images_per_class=count, image_size=48
        )
        return open_dataset(prepare(PrepareConfig(dataset=dataset, split=split)))

    assert drawn(5, FractionsConfig()).classes == ["rose", "daisy"]
    manifest = drawn(8, ExtendConfig())
    assert len(manifest.images) == 16
    for image in manifest.images:
        assert image.mask == f"masks/{image.path}"
        assert (tmp_path / "p" / image.mask).is_file()
    assert json.loads((tmp_path / "p" / "manifest.json").read_text())["source"]["extended"]
    before = contents(tmp_path / "p")
    drawn(8, ExtendConfig())  # nothing is new
    assert contents(tmp_path / "p") == before


def test_a_data_set_is_extended_with_the_limits_that_it_was_made_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the default limit, the new pictures would be near duplicates, of images in two splits."""
    pixels = [scene(64, 48, 7) for _ in range(10)]
    for index, picture in enumerate(pixels):
        picture[:4, :4] = 20 * index  # other bytes, nearly the same picture
        save_png(tmp_path / f"photos/{'ab'[index % 2]}/{index}.png", picture)
    limits = InspectConfig(near=-1)
    prepare(config(tmp_path / "photos", tmp_path / "data", inspect=limits))
    for index in range(10):
        picture = scene(64, 48, 7)
        picture[-4:, -4:] = 20 * index
        save_png(tmp_path / f"photos/{'ab'[index % 2]}/new{index}.png", picture)
    root = prepare(config(tmp_path / "photos", tmp_path / "data", ExtendConfig()))
    manifest = open_dataset(root)
    assert len(manifest.images) == 20
    assert (manifest.inspect["near"], manifest.duplicates, manifest.rejected) == (-1, [], [])
    note = "note: set is extended with inspect.min_size=16 and inspect.near=-1, as it was made\n"
    assert note in capsys.readouterr().out


def test_mirrored_duplicates_are_known_after_an_extension(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    draw(source, 0, *(f"{label}/{index}.png" for label in "ab" for index in range(5)))
    save_png(source / "b/mirrored.png", np.ascontiguousarray(scene(64, 48, 0)[:, ::-1]))
    before = open_dataset(prepare(config(source, tmp_path / "data")))
    assert len(before.duplicates) == len(before.conflicts) == 1
    draw(source, 100, "a/new.png")
    after = open_dataset(prepare(config(source, tmp_path / "data", ExtendConfig())))
    assert (after.duplicates, after.conflicts) == (before.duplicates, before.conflicts)


def test_a_file_that_was_rejected_earlier_does_not_prevent_an_extension(
    class_folders: Path, tmp_path: Path
) -> None:
    (class_folders / "dark/Thumbs.db").write_bytes(b"no picture")
    root = prepare(config(class_folders, tmp_path / "data"))
    before = contents(root)
    prepare(config(class_folders, tmp_path / "data", ExtendConfig()))
    assert contents(root) == before
    draw(class_folders, 100, "light/new.png")
    prepare(config(class_folders, tmp_path / "data", ExtendConfig()))
    assert len(open_dataset(root).images) == 21
