from pathlib import Path

import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models.snapshots import Snapshot, find_snapshots, remove_snapshots, save_snapshot
from tests.vis.nets import two_channels


def test_what_is_read_is_what_was_written_sorted_by_epoch(tmp_path: Path) -> None:
    model = two_channels()
    for epoch in (1000, 2, 0, 10):
        model.set_weights([np.full((1, 1, 3, 2), epoch), np.array([0, -epoch])])
        save_snapshot(model, epoch, tmp_path)
    (tmp_path / "snapshots/epoch_3.weights.npz.txt").write_text("mine")
    found = find_snapshots(tmp_path)
    assert [each.epoch for each in found] == [0, 2, 10, 1000]
    kernel, bias = found[2].weights(model)
    assert (kernel == 10).all()
    assert kernel.dtype == np.float32
    assert bias.tolist() == [0, -10]


def test_without_snapshots_it_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"train\.py callbacks=\[snapshots\]"):
        find_snapshots(tmp_path)


def test_a_damaged_file_is_one_line_and_no_code_is_run(tmp_path: Path) -> None:
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


def test_one_bit_that_fell_over_anywhere_is_one_line_or_harmless(tmp_path: Path) -> None:
    model = two_channels()
    save_snapshot(model, 0, tmp_path)
    snapshot = find_snapshots(tmp_path)[0]
    whole, expected, refused = snapshot.path.read_bytes(), model.get_weights(), 0
    for place in range(len(whole)):
        for bit in (1, 8):
            snapshot.path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
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
    with pytest.raises(ConvscopeError, match="holds 1 arrays, expected 2"):
        Snapshot(0, path).weights(two_channels())
    np.savez(path, np.zeros((1, 1, 3, 2)), np.full(3, {}, object), allow_pickle=True)  # which is not read
    with pytest.raises(ConvscopeError, match=r"array 1 is \(3,\), expected \(2,\)"):
        Snapshot(0, path).weights(two_channels())


def test_what_a_user_put_beside_snapshots_stays(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    folder.mkdir()
    for name in ("epoch_000.weights.npz", "epoch_012.weights.npz", "mine.npz", "notes.txt"):
        (folder / name).write_bytes(b"x")
    remove_snapshots(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["mine.npz", "notes.txt"]
