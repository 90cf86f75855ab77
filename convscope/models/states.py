"""The models of one sequence: separate models, or snapshots that share one network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from convscope.errors import ConvscopeError
from convscope.files import sha256
from convscope.models.bundle import ModelBundle, read_contract
from convscope.models.checkpoint_files import CONTRACT_FILE, MODEL_FILE
from convscope.models.load import load_model
from convscope.models.opening import bundle_of
from convscope.models.reading import Reading
from convscope.models.snapshots import Snapshot, find_snapshots


@dataclass(frozen=True)
class ModelState:
    """A model of a sequence.

    Attributes:
        title: a short title, unique in the sequence; the heading of a column.
        bundle: its network, contract and hash.
        load: a function that loads its weights into the shared network; None for a separate network.
    """

    title: str
    bundle: ModelBundle
    load: Callable[[], None] | None = None

    def load_weights(self) -> None:
        """Make the network compute with the weights of this state."""
        if self.load:
            self.load()


def open_snapshots(run: Path, *, allow_code: bool = False) -> list[ModelState]:
    """Open all snapshots of a run directory; the titles are the epochs.

    Raises:
        ConvscopeError: there are none, or one does not fit the model of the run.
    """
    snapshots = find_snapshots(run)
    titles = [str(snapshot.epoch) for snapshot in snapshots]
    return snapshot_states(run, snapshots, titles, allow_code=allow_code)


def snapshot_states(
    run: Path, snapshots: Sequence[Snapshot], titles: Sequence[str], *, allow_code: bool = False
) -> list[ModelState]:
    """Open snapshots of one training as states of one network, so that only one network is in memory.

    Args:
        run: the run directory with `model.keras` and `model.json`.
        snapshots: the snapshots; each one is read once to check it.
        titles: the titles of the states.
        allow_code: whether Lambda layers of the model may run.

    Raises:
        ConvscopeError: the run cannot be opened, or a snapshot is damaged or belongs to another model.
    """
    network = load_model(run / MODEL_FILE, allow_code=allow_code)
    contract = read_contract(run / CONTRACT_FILE)
    bundle = bundle_of(network, Reading(), path=str(run / MODEL_FILE), contract=contract)
    variables = {id(weight) for weight in network.weights}
    if any(id(weight) not in variables for weight in bundle.model.weights):
        raise ConvscopeError(
            f"{run / MODEL_FILE} computes in 16 bits or with channels first: expected a model.keras that "
            "a training saved"
        )
    for snapshot in snapshots:
        snapshot.weights(network)
    return [
        ModelState(
            title,
            replace(bundle, path=str(snapshot.path), sha256=sha256(snapshot.path)),
            _loader(network, snapshot),
        )
        for snapshot, title in zip(snapshots, titles, strict=True)
    ]


def _loader(network: keras.Model, snapshot: Snapshot) -> Callable[[], None]:
    return lambda: network.set_weights(snapshot.weights(network))
