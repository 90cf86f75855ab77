"""The training loop: fit, keep the best, stop on Ctrl-C without losing it."""

import math
from collections.abc import Callable
from pathlib import Path

import keras

from convscope.errors import ConvscopeError
from convscope.training.callbacks import EpochOrder, History, KeepBest, Progress


def fit(
    model: keras.Model,
    train: keras.utils.PyDataset,
    validation: keras.utils.PyDataset,
    *,
    epochs: int,
    learning_rate: float,
    history: Path,
    save: Callable[[keras.Model], None],
) -> list[dict[str, float]]:
    """Train with Adam on the cross-entropy of the classes.

    Args:
        model: with a softmax output or one sigmoid unit; it is left as it is after the last epoch.
        train: batches with an `epoch` that is set before each.
        validation: batches, the same every epoch.
        epochs: passes over `train`.
        learning_rate: of Adam.
        history: the CSV that is written after each epoch.
        save: called with the model whenever its validation loss is the lowest so far.

    Returns:
        a row an epoch, as in the CSV: epoch, loss, accuracy, val_loss, val_accuracy.

    Raises:
        KeyboardInterrupt: Ctrl-C; its text says what is kept.
        ConvscopeError: the loss was never a finite number.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy" if model.output_shape[-1] == 1 else "categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    best, rows, bar = KeepBest(save), History(history), Progress(epochs, len(train))
    callbacks = [EpochOrder(train), best, rows, bar]
    try:
        model.fit(
            train,
            validation_data=validation,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
            shuffle=False,  # of whole batches, which is Keras' default; the order is the data's own
        )
    except KeyboardInterrupt:
        kept = f"{len(rows.rows)} of {epochs} epochs are done"
        found = "no model is saved yet" if best.best == math.inf else "the best model so far is saved"
        raise KeyboardInterrupt(f"interrupted: {kept}, {found} in {history.parent}") from None
    except Exception:
        for batches in (train, validation):
            if failure := getattr(batches, "failure", None):  # an unreadable photograph
                raise failure from None
        raise
    finally:
        bar.close()
    if best.best == math.inf:
        raise ConvscopeError(
            f"the validation loss was never a finite number in {epochs} epoch(s) at "
            f"training.learning_rate={learning_rate:g}: try a tenth of it"
        )
    return rows.rows
