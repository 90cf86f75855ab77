"""A trained model as it was after each epoch of which a snapshot was kept."""

from collections.abc import Iterator
from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models.bundle import MODEL_FILE
from convscope.models.load import load_model
from convscope.models.snapshots import FOLDER, find_snapshots


class Epochs:
    """A second copy of a run's model, laid flat in `graph`, which takes the weights of its snapshots.

    The files are checked when it is made.
    """

    def __init__(self, path: Path, *, allow_code: bool = False):
        """Open `model.keras` of a run.

        Raises:
            ConvscopeError: it is of no run with snapshots, or they do not fit or cannot be read.
        """
        if path.name != MODEL_FILE or not (path.parent / FOLDER).is_dir():
            raise ConvscopeError(
                f"an evolution is that of a run that has snapshots/, and {path} is from none: train with "
                "'train.py callbacks=[snapshots]', and give that run"
            )
        self.snapshots = find_snapshots(path.parent)
        self._model = load_model(path, allow_code=allow_code)
        self.graph = flatten(self._model)  # shares its weights, whose order is the saved model's
        own = {id(weight) for weight in self._model.weights}
        if any(id(weight) not in own for weight in self.graph.model.weights):
            raise ConvscopeError(
                f"{path} computes in 16 bits or with the channels first: an evolution is that of a "
                "model.keras that train.py saved"
            )
        for snapshot in self.snapshots:
            snapshot.weights(self._model)

    @property
    def numbers(self) -> list[int]:
        """The epochs, from 0, which is before the first step."""
        return [snapshot.epoch for snapshot in self.snapshots]

    def __iter__(self) -> Iterator[int]:
        """Give the model the weights of one epoch after the other."""
        for snapshot in self.snapshots:
            self._model.set_weights(snapshot.weights(self._model))
            yield snapshot.epoch
