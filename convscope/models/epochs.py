"""A model after each epoch of its training that has a snapshot."""

from collections.abc import Iterator
from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models.bundle import MODEL_FILE
from convscope.models.load import load_model
from convscope.models.snapshots import FOLDER, find_snapshots


class Epochs:
    """A separate copy of a run's model, in `graph`, that takes the weights of one snapshot after another.

    All snapshots are checked at the start.
    """

    def __init__(self, path: Path, *, allow_code: bool = False):
        """Open the `model.keras` of a run.

        Raises:
            ConvscopeError: the run has no snapshots, or they do not fit the model or cannot be read.
        """
        if path.name != MODEL_FILE or not (path.parent / FOLDER).is_dir():
            raise ConvscopeError(
                f"{path} has no snapshots: an evolution needs a run of 'train.py callbacks=[snapshots]'"
            )
        self.snapshots = find_snapshots(path.parent)
        self._model = load_model(path, allow_code=allow_code)
        self.graph = flatten(self._model)  # shares the weights of the model
        own = {id(weight) for weight in self._model.weights}
        if any(id(weight) not in own for weight in self.graph.model.weights):
            raise ConvscopeError(
                f"{path} computes in 16 bits or with channels_first: an evolution needs a model.keras that "
                "train.py saved"
            )
        for snapshot in self.snapshots:
            snapshot.weights(self._model)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the epochs; 0 is before the first step."""
        return [snapshot.epoch for snapshot in self.snapshots]

    def __iter__(self) -> Iterator[int]:
        """Set the weights of one epoch after another, and yield the number of the epoch."""
        for snapshot in self.snapshots:
            self._model.set_weights(snapshot.weights(self._model))
            yield snapshot.epoch
