"""Callbacks of the training loop: order, best model, history, snapshots, state, interruption."""

import math
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import csv_text, write_text
from convscope.training.averages import averaged
from convscope.training.recipe import CROSS_ENTROPY
from convscope.training.state import save_state

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
OF_AVERAGE = ("average_val_loss", "average_val_accuracy")  # with training.ema
LOSSES = ("val_loss", "average_val_loss")
PLAIN_LOSSES = (f"val_{CROSS_ENTROPY}", f"average_val_{CROSS_ENTROPY}")  # with training.label_smoothing


def lowest_loss(row: Mapping[str, float], names: Sequence[str] = LOSSES) -> float:
    """Return the validation loss of an epoch: that of the weights or of their average; NaN if both are."""
    return min((row[name] for name in names if not math.isnan(row.get(name, math.nan))), default=math.nan)


def learning_rate(model: keras.Model) -> float:
    """Return the current learning rate; `float` alone does not accept a variable on several devices."""
    return float(np.asarray(model.optimizer.learning_rate))


class SetEpoch(keras.callbacks.Callback):
    """Set `batches.epoch` before each epoch; see `convscope.data.pipeline.Batches`."""

    def __init__(self, batches: keras.utils.PyDataset):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the epoch before the first batch is fetched."""
        self.batches.epoch = epoch


class MeasureAverage(keras.callbacks.Callback):
    """Evaluate the moving average of the weights on validation after each epoch.

    The metrics are added to those of the epoch: `average_val_loss`, `average_val_accuracy`, and so on. Keras
    must call this callback before those that use them.
    """

    def __init__(self, validation: keras.utils.PyDataset):
        super().__init__()
        self.validation = validation

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluate the average, and restore the weights."""
        with averaged(self.model):
            scores = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        assert logs is not None
        logs |= {f"average_val_{name}": score for name, score in scores.items()}


class KeepBest(keras.callbacks.Callback):
    """Call `save` whenever the validation loss is the lowest so far.

    The model that is saved has the weights of the epoch or their moving average, whichever is better. `best`
    is the lowest loss, and `kept` names the weights that have it.
    """

    def __init__(self, save: Callable[[keras.Model], None], best: float = math.inf, kept: str = ""):
        super().__init__()
        self.save = save
        self.best, self.kept = best, kept

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Compare the validation losses; NaN is never the lowest."""
        loss, of_average = ((logs or {}).get(name, math.nan) for name in LOSSES)
        if of_average < self.best and not loss <= of_average:
            self.best, self.kept = of_average, f"moving average after epoch {epoch + 1}"
            with averaged(self.model):
                self.save(self.model)
        elif loss < self.best:
            self.best, self.kept = loss, f"epoch {epoch + 1}"
            self.save(self.model)


class Snapshots(keras.callbacks.Callback):
    """Save the weights before the first step, after every `every` epochs, and after the last epoch.

    It is used in the main phase only, which has `epochs` epochs. A resumed run writes the remaining
    snapshots, because Keras continues to count the epochs.
    """

    def __init__(self, save: Callable[[keras.Model, int], None], epochs: int, every: int = 1):
        super().__init__()
        self.save, self.epochs, self.every = save, epochs, every

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Save the initial weights."""
        if epoch == 0:
            self.save(self.model, 0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save the weights; `PlateauMonitor` is called before and may have stopped the training."""
        last = epoch + 1 == self.epochs or self.model.stop_training
        if last or (epoch + 1) % self.every == 0:
            self.save(self.model, epoch + 1)


class ReportEpochs(keras.callbacks.Callback):
    """Call `report(epoch, validation loss, is_last)` after each epoch; an exception of it ends the training.

    The loss has no label smoothing, so that a search can compare all runs. This phase has `epochs` epochs,
    and the earlier phases had `earlier` ones. Epochs are counted from 1 over all phases.
    """

    def __init__(self, report: Callable[[int, float, bool], None], epochs: int, earlier: int):
        super().__init__()
        self.report, self.epochs, self.earlier = report, epochs, earlier

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Report the epoch; `PlateauMonitor` is called before and may have stopped the training."""
        is_last = epoch + 1 == self.epochs or self.model.stop_training
        measured = logs or {}
        names = PLAIN_LOSSES if PLAIN_LOSSES[0] in measured else LOSSES
        self.report(self.earlier + epoch + 1, lowest_loss(measured, names), is_last)


class History(keras.callbacks.Callback):
    """Write `history.csv` after each epoch; `rows` holds its contents."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Append one row: the epoch, counted from 1, its metrics, and the learning rate at its end."""
        measured = (logs or {}) | {"learning_rate": learning_rate(self.model)}
        columns = [*COLUMNS, *(name for name in OF_AVERAGE if name in measured)]
        self.rows.append({"epoch": epoch + 1} | {name: float(measured[name]) for name in columns[1:]})
        write_text(self.path, csv_text(columns, ([row[name] for name in columns] for row in self.rows)))


class PlateauMonitor(keras.callbacks.Callback):
    """Count epochs without a lower validation loss: stop after `patience`, lower the rate after `plateau`.

    0 disables the action. `best` is the lowest validation loss, `waited` the number of epochs since then.
    """

    def __init__(self, patience: int, plateau: int):
        super().__init__()
        self.patience, self.plateau = patience, plateau
        self.best, self.waited = math.inf, 0

    @property
    def is_exhausted(self) -> bool:
        """Whether `patience` epochs have passed without a lower validation loss."""
        return bool(self.patience and self.waited >= self.patience)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Count the epoch, divide the learning rate by 5, or stop the training."""
        loss = lowest_loss(logs or {})
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss) if not math.isnan(loss) else self.best
        if self.plateau and self.waited and self.waited % self.plateau == 0:
            self.model.optimizer.learning_rate = learning_rate(self.model) / 5
        if self.is_exhausted:
            self.model.stop_training = True


class SaveState(keras.callbacks.Callback):
    """Write the state after every epoch.

    `facts` returns the state of the other callbacks, so Keras must call them first.
    """

    def __init__(self, path: Path, facts: Callable[[], dict[str, Any]]):
        super().__init__()
        self.path, self.facts = path, facts

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Replace the state of the previous epoch."""
        save_state(self.path, self.model, epoch + 1, self.facts())


class FiniteLoss(keras.callbacks.Callback):
    """Stop at the first non-finite loss: all later weights would not be finite either."""

    def __init__(self, learning_rate: float):
        super().__init__()
        self.learning_rate = learning_rate
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Store the epoch for the error message."""
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Raise ConvscopeError if the mean loss of the epoch so far is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise ConvscopeError(
                f"the loss is {loss} in epoch {self.epoch}, batch {batch + 1}: the learning rate "
                f"{self.learning_rate:g} is probably too high; set a tenth of it (training.learning_rate, or "
                "finetune.head_learning_rate in the first phase), or set training.clipnorm=1; a model that "
                "was saved in an earlier epoch is kept"
            )


class FinishBatch(keras.callbacks.Callback):
    """Stop after the current batch at the first Ctrl-C, and at once at the second."""

    def __init__(self) -> None:
        super().__init__()
        self.requested = False
        self.previous: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Install the signal handler; Keras calls this method for each size of the pictures."""
        if self.previous is None and threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._request)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed during the batch."""
        if self.requested:
            raise KeyboardInterrupt

    def restore_handler(self) -> None:
        """Restore the previous signal handler."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
