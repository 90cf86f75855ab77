"""What happens around epochs and batches: order, best model, history, state, interruption, progress."""

import csv
import io
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import keras

from convscope.errors import ConvscopeError
from convscope.files import write_text
from convscope.progress import progress
from convscope.training.state import save_state

_TIMED = 5  # batches
_LONG = 20  # seconds that are worth announcing
COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


class EpochOrder(keras.callbacks.Callback):
    """Tell the batches which epoch it is; see `convscope.data.pipeline.Batches`."""

    def __init__(self, batches: keras.utils.PyDataset):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Before the first batch is fetched."""
        self.batches.epoch = epoch


class KeepBest(keras.callbacks.Callback):
    """Save the model whenever the validation loss is the lowest so far; `best` is that loss."""

    def __init__(self, save: Callable[[keras.Model], None], best: float = math.inf):
        super().__init__()
        self.save = save
        self.best = best

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """A loss that is not a number is never the best."""
        loss = (logs or {}).get("val_loss", math.nan)
        if loss < self.best:
            self.best = loss
            self.save(self.model)


class Snapshots(keras.callbacks.Callback):
    """Save the weights before the first step, after every `every` epochs, and after the last one.

    Of a training in two phases it is for the main phase only. A run that goes on writes what was still to
    come: epoch 0 is the one before it, as Keras counts on from the epochs that are done.
    """

    def __init__(self, save: Callable[[keras.Model, int], None], every: int = 1):
        super().__init__()
        self.save, self.every = save, every

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Before the first step of all, the weights that training begins with."""
        if epoch == 0:
            self.save(self.model, 0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """The last epoch may come early; `Watch`, which is called before, has then said so."""
        last = epoch + 1 == self.params["epochs"] or self.model.stop_training
        if last or (epoch + 1) % self.every == 0:
            self.save(self.model, epoch + 1)


class History(keras.callbacks.Callback):
    """Write `history.csv` anew after each epoch; `rows` holds what it says."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """One row an epoch, counted from 1; the learning rate is the one that it ended with."""
        measured = (logs or {}) | {"learning_rate": float(self.model.optimizer.learning_rate)}
        self.rows.append({"epoch": epoch + 1} | {name: float(measured[name]) for name in COLUMNS[1:]})
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


class Watch(keras.callbacks.Callback):
    """End the run after `patience` epochs without a lower validation loss; lower the rate after `plateau`.

    `best` and `waited` are what it knows.
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
        """Count the epochs since the lowest loss."""
        loss = (logs or {}).get("val_loss", math.nan)
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss) if not math.isnan(loss) else self.best
        if self.plateau and self.waited and self.waited % self.plateau == 0:
            self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 5
        if self.is_exhausted:
            self.model.stop_training = True


class KeepState(keras.callbacks.Callback):
    """Write the state after every epoch; the last of the callbacks, so that it knows what they know."""

    def __init__(self, path: Path, facts: Callable[[], dict[str, Any]]):
        super().__init__()
        self.path, self.facts = path, facts

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Replace the state of the epoch before."""
        save_state(self.path, self.model, epoch + 1, self.facts())


class FiniteLoss(keras.callbacks.Callback):
    """End the run at the first loss that is no number: what follows could only be worse."""

    def __init__(self, learning_rate: float):
        super().__init__()
        self.learning_rate = learning_rate
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember which it is."""
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Keras gives the mean of the epoch so far, which stays not-a-number from there on."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise ConvscopeError(
                f"the loss is {loss} in epoch {self.epoch}, batch {batch + 1}: the likely cause is the "
                f"learning rate of {self.learning_rate:g}, try a tenth of it (training.learning_rate, in a "
                "first phase finetune.head_learning_rate), or training.clipnorm=1; the best model is kept"
            )


class FinishBatch(keras.callbacks.Callback):
    """At the first Ctrl-C the batch is finished, at the second everything stops at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = False
        self.previous: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Take the signal over."""
        self.previous = signal.signal(signal.SIGINT, self._note)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop here if it was asked for."""
        if self.asked:
            raise KeyboardInterrupt

    def give_back(self) -> None:
        """Let Ctrl-C do what it did before."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class Progress(keras.callbacks.Callback):
    """One bar for the whole run: epoch, loss, accuracy, time left; and a line an epoch."""

    def __init__(self, epochs: int, steps: int, done: int = 0):
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self.bar = progress(
            total=epochs * steps, initial=done * steps, desc="training", unit="step", leave=False
        )
        self.left = epochs - done
        self.begun: float | None = None  # the end of the first batch, which builds the graph

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Show the epoch's means so far, and after some batches how long all will take."""
        logs = logs or {}
        if self.begun is None:
            self.begun = time.perf_counter()
        elif batch == _TIMED and self.left:
            epoch = (time.perf_counter() - self.begun) / _TIMED * self.steps
            if epoch * self.left > _LONG:
                total = _duration(epoch * self.left)
                self.bar.write(f"about {_duration(epoch)} an epoch, {total} in all, and validation")
            self.left = 0
        epoch = self.bar.n // self.steps + 1
        self.bar.set_description(f"epoch {min(epoch, self.epochs)}/{self.epochs}", refresh=False)
        shown = {name: f"{logs[name]:.3f}" for name in ("loss", "accuracy") if name in logs}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Leave a line behind."""
        logs = logs or {}
        self.bar.write(
            f"epoch {epoch + 1:>3}/{self.epochs}  loss {logs['loss']:.4f}  accuracy "
            f"{logs['accuracy']:.3f}  validation loss {logs['val_loss']:.4f}  accuracy "
            f"{logs['val_accuracy']:.3f}"
        )

    def close(self) -> None:
        """Take the bar away, after Ctrl-C too."""
        self.bar.close()


def _duration(seconds: float) -> str:
    """As a person says it: 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60) if seconds >= 600 else seconds / 60
    if minutes >= 60:
        return f"{minutes // 60:.0f} h {minutes % 60:.0f} min"
    return f"{minutes:.0f} min" if seconds >= 600 else f"{int(minutes)} min {seconds % 60:.0f} s"
