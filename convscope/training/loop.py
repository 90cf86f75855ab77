"""The training loop: fit, keep the best and the state, go on where a run was stopped."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras

from convscope.errors import ConvscopeError
from convscope.training.callbacks import (
    EpochOrder,
    FinishBatch,
    FiniteLoss,
    History,
    KeepBest,
    KeepState,
    Progress,
    Watch,
)
from convscope.training.recipe import Recipe
from convscope.training.state import FILE, State, load_state


def fit(
    model: keras.Model,
    train: keras.utils.PyDataset,
    validation: keras.utils.PyDataset,
    *,
    recipe: Recipe,
    directory: Path,
    best: KeepBest,
    extra: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Train on the cross-entropy of the classes; with a state in `directory`, go on from there.

    The state is written after every epoch, so that a run that is killed and goes on ends with the weights of
    one that was not.

    Args:
        model: with a softmax output or one sigmoid unit; it is left as it is after the last epoch.
        train: batches with an `epoch` that is set before each.
        validation: batches, the same every epoch.
        recipe: how.
        directory: `history.csv` and the state are kept there.
        best: saves the model whenever its validation loss is the lowest so far.
        extra: callbacks of the caller's, called before the state is written.

    Returns:
        a row an epoch, as in the CSV.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the batch; its text says what is kept.
        ConvscopeError: the loss is no number, the memory does not suffice, or the state is another model's.
    """
    recipe.compile(model, len(train))
    rows = History(directory / "history.csv")
    watch, stop = Watch(recipe.patience, recipe.plateau), FinishBatch()
    done = _go_on(load_state(directory / FILE), model, best, watch, rows, recipe.epochs)
    bar = Progress(recipe.epochs, len(train), done)
    keep = KeepState(
        directory / FILE,
        lambda: {"best": best.best, "watched": watch.best, "waited": watch.waited, "rows": rows.rows},
    )
    order = [EpochOrder(train), FiniteLoss(recipe.learning_rate), best, watch, rows, *extra, bar, keep, stop]
    ended = bool(recipe.patience and watch.waited >= recipe.patience)
    try:
        model.fit(
            train,
            validation_data=validation,
            initial_epoch=recipe.epochs if ended else done,
            epochs=recipe.epochs,
            verbose=0,
            callbacks=order,
            class_weight=dict(recipe.class_weights) if recipe.class_weights else None,
            shuffle=False,  # of whole batches, which is Keras' default; the order is the data's own
        )
        if stop.asked:  # in the last validation
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        kept = f"{len(rows.rows)} of {recipe.epochs} epochs are done"
        found = "no model is saved yet" if best.best == math.inf else "the best model so far is saved"
        raise KeyboardInterrupt(f"interrupted: {kept}, {found} in {directory}") from None
    except Exception as error:
        cause = _cause(error, train, validation)
        if cause is None:
            raise
        raise cause from None
    finally:
        bar.close()
        stop.give_back()
    if best.best == math.inf:
        raise ConvscopeError(
            f"the validation loss was never a finite number in {recipe.epochs} epoch(s) at "
            f"training.learning_rate={recipe.learning_rate:g}: try a tenth of it"
        )
    return rows.rows


def _go_on(
    state: State | None, model: keras.Model, best: KeepBest, watch: Watch, rows: History, epochs: int
) -> int:
    """Put back what a state knows; returns how many epochs are done."""
    if state is None:
        return 0
    state.restore(model)
    best.best, watch.best = state.facts["best"], state.facts["watched"]
    watch.waited, rows.rows = state.facts["waited"], state.facts["rows"]
    print(f"going on after epoch {state.epochs} of {epochs}")
    return state.epochs


def _cause(error: Exception, *data: keras.utils.PyDataset) -> ConvscopeError | None:
    """What a user can mend, behind what Keras or TensorFlow raised; None if it is nothing known."""
    for batches in data:
        if failure := getattr(batches, "failure", None):  # an unreadable photograph
            return failure
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        size = getattr(data[0], "batch_size", 2)
        return ConvscopeError(f"training.batch_size={size} does not fit into memory: try {max(1, size // 2)}")
    return None
