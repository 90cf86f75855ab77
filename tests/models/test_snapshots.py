from pathlib import Path

import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models.snapshots import Snapshot, find_snapshots, remove_snapshots, save_snapshot
from tests.vis.nets import two_channels


def test_snapshots_are_read_as_written_and_sorted_by_epoch(tmp_path: Path) -> None:
    model = two_channels()
    for epoch in (1000, 2, 0, 10):
        model.set_weights([np.full((1, 1, 3, 2), epoch), np.array([0, -epoch])])
        save_snapshot(model, epoch, tmp_path)
    (tmp_path / "snapshots/epoch_3.weights.npz.txt").write_text("mine")
    snapshots = find_snapshots(tmp_path)
    assert [snapshot.epoch for snapshot in snapshots] == [0, 2, 10, 1000]
    kernel, bias = snapshots[2].weights(model)
    assert (kernel == 10).all()
    assert kernel.dtype == np.float32
    assert bias.tolist() == [0, -10]


def test_missing_snapshots_are_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"train with callbacks=\[snapshots\]"):
        find_snapshots(tmp_path)


def test_damaged_file_is_refused_in_one_line_and_runs_no_code(tmp_path: Path) -> None:
    model = two_channels()
    save_snapshot(model, 0, tmp_path)
    whole = find_snapshots(tmp_path)[0].path.read_bytes()
    objects, words = tmp_path / "objects.npz", tmp_path / "words.npz"
    shapes = [each.shape for each in model.get_weights()]
    np.savez(objects, *(np.full(shape, {}, object) for shape in shapes), allow_pickle=True)
    np.savez(words, *(np.full(shape, "a") for shape in shapes))
    middle = len(whole) // 3
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for content in (b"", b"weights", whole[:-40], flipped, objects.read_bytes(), words.read_bytes()):
        path = tmp_path / "damaged.npz"
        path.write_bytes(content)
        with pytest.raises(ConvscopeError, match="cannot read") as raised:
            Snapshot(0, path).weights(model)
        assert "\n" not in str(raised.value)


def test_any_flipped_bit_is_refused_or_harmless(tmp_path: Path) -> None:
    model = two_channels()
    save_snapshot(model, 0, tmp_path)
    snapshot = find_snapshots(tmp_path)[0]
    whole, expected, refused = snapshot.path.read_bytes(), model.get_weights(), 0
    for position in range(len(whole)):
        for bit in (1, 8):
            snapshot.path.write_bytes(
                whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :]
            )
            try:
                found = snapshot.weights(model)
            except ConvscopeError:
                refused += 1
                continue
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert refused > len(whole)  # of twice as many


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, np.zeros((1, 1, 3, 2)))
    with pytest.raises(ConvscopeError, match="has 1 arrays, expected 2"):
        Snapshot(0, path).weights(two_channels())
    np.savez(path, np.zeros((1, 1, 3, 2)), np.full(3, {}, object), allow_pickle=True)  # which is not read
    with pytest.raises(ConvscopeError, match=r"array 1 is \(3,\), expected \(2,\)"):
        Snapshot(0, path).weights(two_channels())


def test_long_texts_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = two_channels()
    path = tmp_path / "texts.npz"
    np.savez_compressed(path, *(np.full(each.shape, b"", "S100000") for each in model.get_weights()))

    def read(*_: object, **__: object) -> None:
        raise AssertionError("the arrays were read")

    monkeypatch.setattr(np, "load", read)
    with pytest.raises(ConvscopeError, match=r"cannot read .*texts.npz \(TypeError\)"):
        Snapshot(0, path).weights(model)


def test_files_of_the_user_beside_snapshots_stay(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    folder.mkdir()
    for name in ("epoch_000.weights.npz", "epoch_012.weights.npz", "mine.npz", "notes.txt"):
        (folder / name).write_bytes(b"x")
    remove_snapshots(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["mine.npz", "notes.txt"]
