"""What happens around epochs and batches: order, best model, history, progress."""

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import keras

from convscope.files import write_text
from convscope.progress import progress

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")


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

    def __init__(self, save: Callable[[keras.Model], None]):
        super().__init__()
        self.save = save
        self.best = math.inf

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """A loss that is not a number is never the best."""
        loss = (logs or {}).get("val_loss", math.nan)
        if loss < self.best:
            self.best = loss
            self.save(self.model)


class History(keras.callbacks.Callback):
    """Write `history.csv` anew after each epoch; `rows` holds what it says."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """One row an epoch, counted from 1."""
        self.rows.append({"epoch": epoch + 1} | {name: (logs or {})[name] for name in COLUMNS[1:]})
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


class Progress(keras.callbacks.Callback):
    """One bar for the whole run: epoch, loss, accuracy, time left; and a line an epoch."""

    def __init__(self, epochs: int, steps: int):
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self.bar = progress(total=self.epochs * self.steps, desc="training", unit="step", leave=False)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Show the epoch's means so far."""
        logs = logs or {}
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
