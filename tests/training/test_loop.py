import csv
import os
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models.snapshots import find_snapshots, save_snapshot
from convscope.training.callbacks import KeepBest, Snapshots
from convscope.training.loop import fit
from convscope.training.precision import in_precision
from convscope.training.recipe import Recipe
from convscope.training.state import FILE, load_state, save_state


class Points(keras.utils.PyDataset):
    """Two clouds of points that a line separates; from epoch `spoil_at` on the labels are swapped."""

    def __init__(self, spoil_at: int = 10**9):
        super().__init__(workers=1)
        self.epoch = 0
        self.spoil_at = spoil_at

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.epoch, index])
        labels = rng.integers(0, 2, 16)
        points = rng.normal(0, 0.3, (16, 2)) + np.where(labels, 1, -1)[:, None]
        wrong = self.epoch >= self.spoil_at
        return points.astype(np.float32), np.eye(2, dtype=np.float32)[1 - labels if wrong else labels]


class KilledError(Exception):
    """Simulates SIGKILL, which the test of the whole command sends."""


def linear_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])


def options(tmp_path: Path, **recipe: object) -> dict:
    return {"recipe": Recipe(**{"epochs": 5, "learning_rate": 0.1} | recipe), "directory": tmp_path}


def test_the_best_epoch_is_saved_not_the_last_one(tmp_path: Path) -> None:
    saved: list[np.ndarray] = []
    model = linear_model()
    rows = fit(
        model,
        Points(spoil_at=3),
        Points(),
        **options(tmp_path),
        best=KeepBest(lambda best: saved.append(best.get_weights()[0].copy())),
    )
    losses = [row["val_loss"] for row in rows]
    assert 0 < int(np.argmin(losses)) == len(saved) - 1 < 4
    assert not np.array_equal(saved[-1], model.get_weights()[0])
    with (tmp_path / "history.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in written] == losses
    assert [row["epoch"] for row in written] == ["1", "2", "3", "4", "5"]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for name in "ab":
        model = linear_model()
        fit(model, Points(), Points(), **options(tmp_path / name), best=KeepBest(lambda _: None))
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def stateful_net() -> keras.Model:
    """A net with state: dropout has a random generator, batch normalization has statistics."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


RECIPES = {
    "plain": {},
    "cosine": {"optimizer": "AdamW", "schedule": "CosineDecay", "warmup_epochs": 1.0, "clipnorm": 0.5},
    "plateau": {"optimizer": "SGD", "momentum": 0.9, "plateau": 1, "label_smoothing": 0.1},
    "average": {"ema": 0.9, "schedule": "CosineDecay", "alpha": 0.1},
}


@pytest.mark.parametrize(
    ("name", "precision", "kills"),
    [
        ("plain", "float32", 3),
        ("cosine", "float32", 1),
        ("plateau", "float32", 1),
        ("average", "float32", 2),
        ("average", "mixed_float16", 1),
        ("plain", "mixed_bfloat16", 1),
        ("cosine", "mixed_bfloat16", 1),
        ("plateau", "mixed_bfloat16", 1),
        ("plain", "mixed_float16", 1),
    ],
)
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_run(
    tmp_path: Path, name: str, precision: str, kills: int
) -> None:
    settings = options(tmp_path / "whole", **RECIPES[name])

    def build() -> keras.Model:
        return in_precision(stateful_net(), precision)

    whole = build()
    rows = fit(whole, Points(spoil_at=2), Points(), **settings, best=KeepBest(lambda _: None))
    settings["directory"] = tmp_path / "parts"

    class KillingPoints(Points):
        """Points that raise KilledError in the middle of an epoch: the second one, or one later each time."""

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            if self.epoch == stopped + 1 and index == 2 and stopped < kills:
                raise KilledError
            return super().__getitem__(index)

    stopped = 0
    resumed_rows = None
    while resumed_rows is None:
        model = build()
        keras.utils.set_random_seed(99 + stopped)  # another process has another random state
        try:
            resumed_rows = fit(
                model, KillingPoints(spoil_at=2), Points(), **settings, best=KeepBest(lambda _: None)
            )
        except Exception as error:  # TensorFlow wraps it
            if "KilledError" not in str(error) + type(error).__name__:
                raise
            stopped += 1
    assert stopped == kills
    assert resumed_rows == rows
    for ours, theirs in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Squares(keras.utils.PyDataset):
    """Pictures of one size, bright or dark; the second batch of epoch `killed_at` raises KilledError."""

    def __init__(self, size: int, killed_at: int | None = None):
        super().__init__(workers=1)
        self.size, self.epoch, self.killed_at = (size, size), 0, killed_at
        self.epochs: set[int] = set()

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.epoch == self.killed_at and index == 1:
            raise KilledError
        self.epochs.add(self.epoch)
        rng = np.random.default_rng([self.epoch, index])
        labels = rng.integers(0, 2, 8)
        pictures = rng.normal(labels[:, None, None, None], 1, (8, *self.size, 3))
        return pictures.astype(np.float32), np.eye(2, dtype=np.float32)[labels]


def convnet() -> keras.Model:
    """A network for pictures of any size."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def test_several_sizes_divide_the_epochs_and_one_optimizer_continues(tmp_path: Path) -> None:
    sizes = [Squares(8), Squares(12)]
    recipe = {"schedule": "CosineDecay", "warmup_epochs": 1.0}
    rows = fit(convnet(), sizes, Squares(12), **options(tmp_path, **recipe), best=KeepBest(lambda _: None))

    used = [stage.epochs - {0} for stage in sizes]  # Keras fetches a batch before it sets the epoch
    assert used == [{1}, {2, 3, 4}]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    rates = [row["learning_rate"] for row in rows]  # one schedule over all epochs: cosine after the warmup
    expected = [0.1 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(5)]
    np.testing.assert_allclose(rates, expected, atol=1e-6)


class Boundary(keras.callbacks.Callback):
    """Stores the weights at the begin and the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.begin: list[np.ndarray] = []
        self.end: list[np.ndarray] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.begin.append(self.model.get_weights()[0])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.end.append(self.model.get_weights()[0])


def test_a_new_size_continues_with_the_weights_and_not_with_their_average(tmp_path: Path) -> None:
    seen = Boundary()
    settings = options(tmp_path, ema=0.9)
    data = [Squares(8), Squares(12)], Squares(12)
    fit(convnet(), *data, **settings, best=KeepBest(lambda _: None), extra=[seen])
    for end, begin in zip(seen.end, seen.begin[1:], strict=False):
        np.testing.assert_array_equal(end, begin)


@pytest.mark.parametrize(("killed_at", "ema"), [(1, None), (2, 0.9), (3, 0.9)])
def test_a_run_at_several_sizes_resumes_bit_for_bit(
    tmp_path: Path, killed_at: int, ema: float | None
) -> None:
    whole = convnet()
    recipe = {"ema": ema}
    rows = fit(
        whole,
        [Squares(8), Squares(12)],
        Squares(12),
        **options(tmp_path / "a", **recipe),
        best=KeepBest(lambda _: None),
    )
    killed = [Squares(8, killed_at), Squares(12, killed_at)]
    settings = options(tmp_path / "b", **recipe)
    with pytest.raises(Exception, match="KilledError"):  # TensorFlow wraps it
        fit(convnet(), killed, Squares(12), **settings, best=KeepBest(lambda _: None))
    resumed = convnet()
    keras.utils.set_random_seed(99)
    again = fit(
        resumed,
        [Squares(8), Squares(12)],
        Squares(12),
        **options(tmp_path / "b", **recipe),
        best=KeepBest(lambda _: None),
    )
    assert again == rows
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def snapshots(directory: Path, every: int = 1) -> Snapshots:
    return Snapshots(lambda model, epoch: save_snapshot(model, epoch, directory), epochs=5, every=every)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_snapshots_hold_the_weights_before_the_first_step_and_after_epochs(
    tmp_path: Path, precision: str
) -> None:
    model = in_precision(stateful_net(), precision)
    initial = [weight.copy() for weight in model.get_weights()]
    fit(
        model,
        Points(),
        Points(),
        **options(tmp_path),
        best=KeepBest(lambda _: None),
        extra=[snapshots(tmp_path, every=2)],
    )
    found = find_snapshots(tmp_path)
    assert [snapshot.epoch for snapshot in found] == [0, 2, 4, 5]
    for snapshot, expected in ((found[0], initial), (found[-1], model.get_weights())):
        for ours, theirs in zip(snapshot.weights(model), expected, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)


def test_a_resumed_run_writes_only_the_missing_snapshots(
    tmp_path: Path,
) -> None:
    class KillingPoints(Points):
        """Points that raise KilledError in the third epoch."""

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            if self.epoch == 2 and index == 2:
                raise KilledError
            return super().__getitem__(index)

    def run(name: str, points: Points) -> None:
        directory = tmp_path / name
        extra = [snapshots(directory)]
        best = KeepBest(lambda _: None)
        fit(stateful_net(), points, Points(), **options(directory), best=best, extra=extra)

    run("whole", Points())
    with pytest.raises(Exception, match="KilledError"):
        run("parts", KillingPoints())
    before = find_snapshots(tmp_path / "parts")
    assert [snapshot.epoch for snapshot in before] == [0, 1, 2]
    inodes = [
        snapshot.path.stat().st_ino for snapshot in before
    ]  # a file that is written again has a new one
    run("parts", Points())
    assert [snapshot.path.stat().st_ino for snapshot in before] == inodes
    whole, parts = find_snapshots(tmp_path / "whole"), find_snapshots(tmp_path / "parts")
    assert [snapshot.epoch for snapshot in parts] == [0, 1, 2, 3, 4, 5]
    assert [snapshot.path.read_bytes() for snapshot in parts] == [
        snapshot.path.read_bytes() for snapshot in whole
    ]


def test_the_last_snapshot_is_of_the_epoch_at_which_patience_stops_the_run(tmp_path: Path) -> None:
    model = linear_model()
    rows = fit(
        model,
        Points(spoil_at=2),
        Points(),
        **options(tmp_path, epochs=20, patience=2),
        best=KeepBest(lambda _: None),
        extra=[snapshots(tmp_path, every=100)],
    )
    found = find_snapshots(tmp_path)
    assert [snapshot.epoch for snapshot in found] == [0, len(rows)]
    assert len(rows) < 20
    np.testing.assert_array_equal(found[-1].weights(model)[0], model.get_weights()[0])


def test_ctrl_c_finishes_the_batch_and_reports_what_is_saved(tmp_path: Path) -> None:
    class Interrupting(Points):
        """Points that press Ctrl-C in the second epoch."""

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            if self.epoch == 1 and index == 1:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(index)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"of 5 epochs are done, .* saved"):
        fit(linear_model(), Interrupting(), Points(), **options(tmp_path), best=KeepBest(lambda _: None))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    settings = options(tmp_path)
    settings["recipe"].learning_rate = float("inf")  # the recipe refuses it when it is made
    with pytest.raises(ConvscopeError, match=r"in epoch 1, batch 2: the learning rate inf .*clipnorm"):
        fit(linear_model(), Points(), Points(), **settings, best=KeepBest(lambda _: None))


def test_patience_stops_the_run_and_plateau_lowers_the_learning_rate(tmp_path: Path) -> None:
    rows = fit(
        linear_model(),
        Points(spoil_at=2),
        Points(),
        **options(tmp_path, epochs=20, patience=4, plateau=2),
        best=KeepBest(lambda _: None),
    )
    best = int(np.argmin([row["val_loss"] for row in rows]))
    assert len(rows) == best + 1 + 4
    rates = [row["learning_rate"] for row in rows]
    assert rates[best] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 / 25)


def test_class_weights_scale_the_loss(tmp_path: Path) -> None:
    weights = []
    for name, factors in (("a", None), ("b", {0: 1.0, 1: 1.0}), ("c", {0: 9.0, 1: 0.1})):
        model = linear_model()
        fit(
            model,
            Points(),
            Points(),
            **options(tmp_path / name, class_weights=factors),
            best=KeepBest(lambda _: None),
        )
        weights.append(model.get_weights()[1])
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)
    assert weights[2][0] > weights[0][0]  # an error on the first class costs nine times as much


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    model = linear_model()
    Recipe().compile(model, 4)
    save_state(tmp_path / FILE, model, 1, {"best": 1.0, "waited": 0, "rows": []})
    with pytest.raises(ConvscopeError, match="another model"):
        fit(stateful_net(), Points(), Points(), **options(tmp_path), best=KeepBest(lambda _: None))
    for damaged in (b"PK damaged", b""):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(ConvscopeError, match="overwrite=true to start again"):
            fit(linear_model(), Points(), Points(), **options(tmp_path), best=KeepBest(lambda _: None))


def test_patience_of_a_resumed_run_ignores_the_best_of_the_first_phase(tmp_path: Path) -> None:
    """The first phase has the lowest loss of all; the second phase improves on its own losses."""
    settings = options(tmp_path, patience=2, epochs=6, learning_rate=0.01)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            if epoch == 2:
                raise KilledError

    with pytest.raises(KilledError):
        fit(
            linear_model(),
            Points(),
            Points(),
            **settings,
            best=KeepBest(lambda _: None, 1e-9),
            extra=[Stop()],
        )
    rows = fit(linear_model(), Points(), Points(), **settings, best=KeepBest(lambda _: None, 1e-9))
    assert len(rows) == 6


def test_a_resumed_run_keeps_its_loss_scale(tmp_path: Path) -> None:
    def compiled() -> keras.Model:
        model = in_precision(stateful_net(), "mixed_float16")
        Recipe(optimizer="SGD").compile(model, 4)
        return model

    model = compiled()
    huge = np.full((2, 2), 6e4, np.float32)  # overflows float16 in the hidden layer's gradients
    for _ in range(3):
        model.train_on_batch(huge, np.eye(2, dtype=np.float32))
    scale = float(model.optimizer.dynamic_scale)
    assert scale < 2.0**15
    save_state(tmp_path / FILE, model, 1, {})
    save_state(tmp_path / FILE, model, 1, {})  # saving must not reset it
    resumed = compiled()
    load_state(tmp_path / FILE).restore(resumed)
    assert float(resumed.optimizer.dynamic_scale) == scale
