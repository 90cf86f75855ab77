from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.data.features import FeatureBatches, cached, key
from convscope.data.pipeline import Batches, LabelledImages
from convscope.errors import ConvscopeError
from convscope.files import waiting_for
from convscope.images import save_png
from convscope.preprocessing import by_name

IMAGES = [("a.png", "1"), ("b.png", "2")]
UNIT = by_name("unit_range").to_json()


def trunk(*, filters: int = 3, padding: str = "valid", seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 3), name="pixels")
    maps = keras.layers.Conv2D(filters, 3, padding=padding, name="conv")(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(maps), name="trunk")


def test_the_key_changes_with_everything_that_features_depend_on() -> None:
    same = key(trunk(), UNIT, IMAGES)
    frozen = trunk()
    frozen.get_layer("conv").trainable = False
    assert key(frozen, UNIT, IMAGES) == same == key(trunk(), UNIT, list(IMAGES))
    nudged = trunk()
    kernel, bias = nudged.get_layer("conv").get_weights()
    kernel[0, 0, 0, 0] += 1e-6
    nudged.get_layer("conv").set_weights([kernel, bias])
    others = [
        key(nudged, UNIT, IMAGES),
        key(trunk(padding="same"), UNIT, IMAGES),
        key(trunk(seed=1), UNIT, IMAGES),
        key(trunk(), by_name("torch").to_json(), IMAGES),
        key(trunk(), UNIT, [("a.png", "1"), ("b.png", "3")]),
        key(trunk(), UNIT, IMAGES[::-1]),
        key(trunk(), UNIT, IMAGES[:1]),
    ]
    assert len({same, *others}) == 1 + len(others)


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    rng = np.random.default_rng(0)
    for index in range(11):
        save_png(tmp_path / "images" / f"{index:02}.png", rng.integers(0, 256, (8, 8, 3)).astype(np.uint8))
    examples = LabelledImages(sorted((tmp_path / "images").iterdir()), np.arange(11) % 2, ["even", "odd"])
    return Batches(examples, size=(8, 8), preprocessing=by_name("unit_range"), batch_size=4)


def test_features_equal_the_output_of_the_trunk_and_are_computed_once(
    tmp_path: Path, batches: Batches
) -> None:
    path, model = tmp_path / "cache" / "key.npy", trunk()
    features = cached(path, model, batches)
    expected = np.concatenate([np.asarray(model(batches[index][0])) for index in range(3)])
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert {each.name for each in path.parent.iterdir()} == {"key.npy", ".lock"}
    np.testing.assert_array_equal(cached(path, trunk(seed=1), batches), features)  # not computed again


def test_a_run_waits_for_the_features_that_another_run_computes(
    tmp_path: Path, batches: Batches, capsys: pytest.CaptureFixture[str]
) -> None:
    path, features = tmp_path / "key.npy", np.full((11, 3), 0.5, np.float32)
    with ThreadPoolExecutor(1) as other, waiting_for(tmp_path / ".lock"):
        waiting = other.submit(cached, path, trunk(), batches)
        printed = ""
        while "waiting for another run, which is computing features" not in printed:
            assert not waiting.done()
            printed += capsys.readouterr().out
        np.save(path, features)
    np.testing.assert_array_equal(waiting.result(), features)


def test_an_interrupted_computation_is_resumed(
    tmp_path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = tmp_path / "key.npy", trunk()
    whole = np.array(cached(tmp_path / "whole.npy", model, batches))
    computed: list[int] = []
    original = Batches.__getitem__

    def stop_at_the_last(self: Batches, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index == 2 and 2 not in computed:
            computed.append(2)
            raise KeyboardInterrupt
        computed.append(index)
        return original(self, index)

    monkeypatch.setattr(Batches, "__getitem__", stop_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        cached(path, model, batches)
    assert not path.exists()
    np.testing.assert_array_equal(cached(path, model, batches), whole)
    assert computed == [0, 1, 2, 2]  # the first two were not computed again


def test_batches_contain_every_example_once_per_epoch_with_its_target() -> None:
    features = np.arange(40, dtype=np.float32)[:, None]
    rows = np.array([3, 5, 8, 13, 21, 34, 39])
    targets = rows[:, None].astype(np.float32)
    data = FeatureBatches(features, rows, targets, batch_size=3, shuffle_seed=1)
    orders = []
    for epoch in range(3):
        data.epoch = epoch
        fed = [data[index] for index in range(len(data))]
        seen = np.concatenate([each for each, _ in fed])
        np.testing.assert_array_equal(seen, np.concatenate([each for _, each in fed]))
        assert sorted(seen[:, 0]) == rows.tolist()
        assert not any(np.shares_memory(each, features) for each, _ in fed)
        orders.append(seen[:, 0].tolist())
    assert len({tuple(each) for each in orders}) == 3
    plain = FeatureBatches(features, rows, targets, batch_size=3, shuffle_seed=None)
    np.testing.assert_array_equal(plain[1][0][:, 0], [13, 21, 34])


def test_a_kill_before_the_file_is_filled_with_nan_leaves_no_zeros(
    tmp_path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            cached(tmp_path / "key.npy", trunk(), batches)
    assert not (tmp_path / ".key.npy.partial").exists()
    whole = cached(tmp_path / "key.npy", trunk(), batches)
    np.testing.assert_array_equal(whole, cached(tmp_path / "other.npy", trunk(), batches))


def test_features_that_are_not_finite_are_not_stored(tmp_path: Path, batches: Batches) -> None:
    model = trunk()
    model.set_weights([np.full_like(each, np.nan) for each in model.get_weights()])
    with pytest.raises(ConvscopeError, match="not finite"):
        cached(tmp_path / "key.npy", model, batches)
    assert list(tmp_path.glob("*key*")) == []
