"""The progress of a training in the terminal: a bar, and a line after each epoch."""

import time
from collections.abc import Sequence

import keras

from convscope.progress import progress
from convscope.training.callbacks import OF_AVERAGE

_TIMED_BATCHES = 5
_LONG_TRAINING = 20  # seconds; the duration of a shorter training is not printed in advance


class Progress(keras.callbacks.Callback):
    """A progress bar for the whole run (epoch, loss, accuracy, remaining time), and a line per epoch."""

    def __init__(self, epochs: int, steps: int, epochs_done: int = 0, costs: Sequence[float] = ()):
        """Show the bar.

        Args:
            epochs: the epochs of the run.
            steps: the batches of an epoch.
            epochs_done: the epochs before the run was interrupted.
            costs: the relative durations of the epochs, if they differ.
        """
        super().__init__()
        self.epochs, self.steps = epochs, steps
        remaining = costs[epochs_done:]
        self.relative_rest = sum(remaining) / remaining[0] if remaining else epochs - epochs_done
        self.bar = progress(
            total=epochs * steps, initial=epochs_done * steps, desc="training", unit="step", leave=False
        )
        self.announced = epochs_done == epochs
        self.started: float | None = None  # after the first batch, which builds the graph

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Show the means of the epoch so far; print the expected duration of a long training once."""
        logs = logs or {}
        if self.started is None:
            self.started = time.perf_counter()
        elif batch == _TIMED_BATCHES and not self.announced:
            epoch = (time.perf_counter() - self.started) / _TIMED_BATCHES * self.steps
            total = epoch * self.relative_rest
            if total > _LONG_TRAINING:
                self.bar.write(
                    f"about {_duration(epoch)} for this epoch, {_duration(total)} in total, plus validation"
                )
            self.announced = True
        epoch = self.bar.n // self.steps + 1
        self.bar.set_description(f"epoch {min(epoch, self.epochs)}/{self.epochs}", refresh=False)
        shown = {name: f"{logs[name]:.3f}" for name in ("loss", "accuracy") if name in logs}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Print the metrics of the epoch."""
        logs = logs or {}
        of_average = ""
        if "average_val_loss" in logs:
            of_average = "  (average: {:.4f}  {:.3f})".format(*(logs[name] for name in OF_AVERAGE))
        self.bar.write(
            f"epoch {epoch + 1:>3}/{self.epochs}  loss {logs['loss']:.4f}  accuracy "
            f"{logs['accuracy']:.3f}  validation loss {logs['val_loss']:.4f}  accuracy "
            f"{logs['val_accuracy']:.3f}" + of_average
        )

    def close(self) -> None:
        """Remove the progress bar."""
        self.bar.close()


def _duration(seconds: float) -> str:
    """Format a duration: "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60) if seconds >= 600 else seconds / 60
    if minutes >= 60:
        return f"{minutes // 60:.0f} h {minutes % 60:.0f} min"
    return f"{minutes:.0f} min" if seconds >= 600 else f"{int(minutes)} min {seconds % 60:.0f} s"
