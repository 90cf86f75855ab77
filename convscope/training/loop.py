"""The training loop: train, save the best model and the state, resume an interrupted run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from convscope.errors import ConvscopeError
from convscope.training.callbacks import (
    FinishBatch,
    FiniteLoss,
    History,
    KeepBest,
    MeasureAverage,
    PlateauMonitor,
    SaveState,
    SetEpoch,
)
from convscope.training.epoch_progress import Progress
from convscope.training.memory import is_exhaustion
from convscope.training.recipe import Recipe
from convscope.training.state import FILE, State, load_state


def fit(
    model: keras.Model,
    train: keras.utils.PyDataset | Sequence[keras.utils.PyDataset],
    validation: keras.utils.PyDataset,
    *,
    recipe: Recipe,
    directory: Path,
    best: KeepBest,
    extra: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Train a classifier, or resume its training if `directory` holds a state.

    The loss is the cross-entropy. The state is written after every epoch. A resumed run ends with the same
    weights as an uninterrupted run.

    Args:
        model: a model with a softmax output or a single sigmoid unit; it keeps the weights of the last epoch,
            or with `recipe.ema` their moving average.
        train: batches with an attribute `epoch`, which is set before each epoch. Several data sets with the
            same number of batches are used one after the other, each for an equal share of the epochs.
        validation: batches, the same in every epoch.
        recipe: the settings of the optimization.
        directory: the run directory, for `history.csv` and the state.
        best: the callback that saves the model with the lowest validation loss.
        extra: more callbacks; Keras calls them before the state is written.

    Returns:
        One row per epoch, as in `history.csv`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, at the end of the batch; its text says which files are saved.
        ConvscopeError: the loss is not finite, memory is exhausted, or the state belongs to another model.
    """
    stages = _stages(train, recipe.epochs)
    steps = len(stages[0].batches)
    recipe.compile(model, steps)
    plateau, history = PlateauMonitor(recipe.patience, recipe.plateau), History(directory / "history.csv")
    stored = _Stored(best, plateau, history)
    done = stored.resume(load_state(directory / FILE), model, recipe.epochs)
    bar, interrupt = Progress(recipe.epochs, steps, done, _costs(stages)), FinishBatch()
    save, finite = SaveState(directory / FILE, stored.facts), FiniteLoss(recipe.learning_rate)
    average = [MeasureAverage(validation)] if recipe.ema else []
    callbacks = [finite, *average, best, plateau, history, *extra, bar, save, interrupt]
    try:
        for stage in stages:
            if plateau.is_exhausted:
                break
            if done >= stage.end:
                continue
            if recipe.ema and history.rows and stage.first == len(history.rows):
                _restore(directory, model)
            model.fit(
                stage.batches,
                validation_data=validation,
                initial_epoch=max(done, stage.first),
                epochs=stage.end,
                verbose=0,
                callbacks=[SetEpoch(stage.batches), *callbacks],
                class_weight=dict(recipe.class_weights) if recipe.class_weights else None,
                shuffle=False,  # Keras would shuffle whole batches; the data set has an order of its own
            )
        if interrupt.requested:  # Ctrl-C during the last validation
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_interrupted(history, best, recipe.epochs, directory)) from None
    except Exception as error:
        cause = _cause(error, *(stage.batches for stage in stages), validation)
        if cause is None:
            raise
        raise cause from None
    finally:
        bar.close()
        interrupt.restore_handler()
    if best.best == math.inf:
        raise ConvscopeError(
            f"the validation loss was never finite in {recipe.epochs} epoch(s) with training.learning_rate="
            f"{recipe.learning_rate:g}: try a tenth of it"
        )
    return history.rows


@dataclass(frozen=True)
class _Stored:
    """The callbacks whose values are part of the state."""

    best: KeepBest
    plateau: PlateauMonitor
    history: History

    def facts(self) -> dict[str, Any]:
        """Return the values."""
        return {
            "best": self.best.best,
            "kept": self.best.kept,
            "watched": self.plateau.best,
            "waited": self.plateau.waited,
            "rows": self.history.rows,
        }

    def resume(self, state: State | None, model: keras.Model, epochs: int) -> int:
        """Restore the values and the model, and return the number of completed epochs."""
        if state is None:
            return 0
        state.restore(model)
        facts = state.facts
        self.best.best, self.best.kept = facts["best"], facts.get("kept", "")
        self.plateau.best, self.plateau.waited = facts["watched"], facts["waited"]
        self.history.rows = facts["rows"]
        print(f"resuming after epoch {state.epochs} of {epochs}")
        return state.epochs


def _restore(directory: Path, model: keras.Model) -> None:
    """Restore the weights of the last epoch: at the end of `fit`, Keras replaces them by their average."""
    state = load_state(directory / FILE)
    assert state is not None
    state.restore(model)


@dataclass(frozen=True)
class _Stage:
    """Epochs with the same batches: from `first` until before `end`, counted from 0."""

    batches: keras.utils.PyDataset
    first: int
    end: int


def _stages(train: keras.utils.PyDataset | Sequence[keras.utils.PyDataset], epochs: int) -> list[_Stage]:
    """Return the stages of a training; the epochs are divided as evenly as possible."""
    parts = [train] if isinstance(train, keras.utils.PyDataset) else list(train)
    ends = [round(epochs * (number + 1) / len(parts)) for number in range(len(parts))]
    return [_Stage(*stage) for stage in zip(parts, [0, *ends], ends, strict=False)]


def _costs(stages: Sequence[_Stage]) -> list[float]:
    """Return the relative duration of each epoch: in proportion to the pixels of a picture."""
    if len(stages) == 1:
        return []
    return [math.prod(stage.batches.size) for stage in stages for _ in range(stage.first, stage.end)]


def _interrupted(history: History, best: KeepBest, epochs: int, directory: Path) -> str:
    """Return the message after Ctrl-C."""
    saved = "no model is saved yet" if best.best == math.inf else "the best model so far is saved"
    return f"interrupted: {len(history.rows)} of {epochs} epochs are done, {saved} in {directory}"


def _cause(error: Exception, *data: keras.utils.PyDataset) -> ConvscopeError | None:
    """Return the error for the user behind an error of Keras or TensorFlow, None if it is unknown."""
    for batches in data:
        if failure := getattr(batches, "failure", None):  # an unreadable photograph
            return failure
    if is_exhaustion(error):
        size = getattr(data[0], "batch_size", 2)
        return ConvscopeError(
            f"training.batch_size={size} does not fit into memory: try "
            f"training.batch_size={max(1, size // 2)}"
        )
    return None
