"""Open the models of a run, one or several, and compute their feature maps."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from convscope import names, run_directories
from convscope.config.schema.visualize import APPLICATION, RANDOM, VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.models.checkpoint_files import MODEL_FILE, find_last_run, is_run_directory
from convscope.models.opening import (
    open_application,
    open_checkpoint,
    with_fresh_weights,
)
from convscope.models.reading import Reading
from convscope.models.sequence import Models
from convscope.models.snapshots import Snapshot, is_snapshot, snapshot_at
from convscope.models.states import ModelState, snapshot_states
from convscope.vis.extractor import OUTPUT, Extractor


class MapsOfModels:
    """The feature maps of chosen layers in each model, from one forward pass for each model."""

    def __init__(
        self, models: Models, layers: Sequence[Layer], key: str, *, with_output: bool = False
    ) -> None:
        """Match the layers in all models.

        With `with_output`, the outputs of the models are added, with the path `OUTPUT`.

        Raises:
            ConvscopeError: a model has no matching layer; `key` is the option that chose the layers.
        """
        self.models, self.layers = models, list(layers)
        self._paths = [layer.path for layer in layers] + [OUTPUT] * with_output
        extractors: dict[int, Extractor] = {}  # by the id of the network; states of one training share it
        self._extractors = []
        for state, matches in zip(models[:], models.counterparts(layers, key), strict=True):
            network = id(state.bundle.model)
            if network not in extractors:
                extractors[network] = Extractor(state.bundle.model, matches, with_output=with_output)
            self._extractors.append(extractors[network])

    def __call__(self, inputs_of: Callable[[ModelBundle], np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """Yield the maps of one model after the other.

        Args:
            inputs_of: a function that returns the input of a model, float32 (batch, height, width, channels).

        Yields:
            float32 (batch, height, width, channels) or (batch, units), by layer path in the first model.

        Raises:
            ConvscopeError: a layer returns values that are not finite.
        """
        for state, extract in zip(self.models, self._extractors, strict=True):
            outputs = extract(inputs_of(state.bundle)).values()
            yield dict(zip(self._paths, outputs, strict=True))


def open_models(config: VisualizeConfig) -> Models:
    """Open the models of `compare`, in its order, or the model of `checkpoint` or `application`.

    Raises:
        ConvscopeError: a model cannot be opened, or the models have different input sizes.
    """
    if not config.compare:
        bundle = _open_one(config)
        return Models([ModelState(bundle.contract.name, bundle)])
    titles = names.unique(_title(entry, config) for entry in config.compare)
    states: dict[str, ModelState] = {}  # by title
    snapshots: dict[Path, list[tuple[str, Snapshot]]] = {}  # of each run, with the title
    for entry, title in zip(config.compare, titles, strict=True):
        path = user_path(entry)
        if is_snapshot(path):
            snapshots.setdefault(path.parent.parent, []).append((title, _snapshot(path)))
        else:
            states[title] = ModelState(title, _open(entry, config))
    for run, entries in snapshots.items():
        run_titles, run_snapshots = zip(*entries, strict=True)
        opened = snapshot_states(run, run_snapshots, run_titles, allow_code=config.allow_code)
        states |= {state.title: state for state in opened}
    models = Models([states[title] for title in titles])
    _note_preprocessing(models)
    return models


def _open_one(config: VisualizeConfig) -> ModelBundle:
    """Open the model of `application`, of `checkpoint`, or of the last run under `outputs/`."""
    if config.application:
        keras.utils.set_random_seed(config.seed)  # for weights=null
        return open_application(config.application, config.weights, config)
    checkpoint = user_path(config.checkpoint) if config.checkpoint else find_last_run(Path("outputs"))
    return open_checkpoint(checkpoint, config)


def _snapshot(path: Path) -> Snapshot:
    if not path.is_file():
        raise ConvscopeError(f"no snapshot at {path}: expected RUN/snapshots/epoch_NNN.weights.npz")
    return snapshot_at(path)


def _open(entry: str, config: VisualizeConfig) -> ModelBundle:
    if entry == APPLICATION:
        return _open_one(config)
    if entry == RANDOM:  # the first model with trained weights is opened once more
        trained = next(other for other in config.compare if other != RANDOM)
        path = user_path(trained)
        if is_snapshot(path):
            trained = str(path.parent.parent / MODEL_FILE)
        return with_fresh_weights(_open(trained, config), config.seed)
    path = user_path(entry)
    reading: Reading = config
    others = [user_path(other) for other in config.compare if other not in (RANDOM, APPLICATION)]
    if is_run_directory(path) and (config.application or not all(map(is_run_directory, others))):
        reading = Reading(allow_code=config.allow_code)  # the other options describe models without a run
    return open_checkpoint(path, reading)


def _title(entry: str, config: VisualizeConfig) -> str:
    """Return the name of the run's folder or of the file; for a snapshot, the run and its epoch."""
    if entry == APPLICATION:
        return str(config.application)
    if entry == RANDOM:
        return RANDOM
    path = run_directories.follow_latest(user_path(entry).absolute())
    if is_snapshot(path):
        return f"{names.printable(path.parent.parent.name)} epoch {snapshot_at(path).epoch}"
    return names.printable(
        path.parent.name if path.name == MODEL_FILE and is_run_directory(path) else path.name
    )


def _note_preprocessing(models: Models) -> None:
    contracts = {state.title: state.bundle.contract for state in models[:]}
    if len({contract.preprocessing for contract in contracts.values()}) > 1:
        used = ", ".join(f"{title} {contract.preprocessing.name}" for title, contract in contracts.items())
        print(f"note: each model gets its own preprocessing: {used}")
