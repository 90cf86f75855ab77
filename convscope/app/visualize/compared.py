"""The models of `compare=`: opened, named, and found to be of one architecture where they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope import names
from convscope.app.visualize.checkpoint import open_model, reading_of
from convscope.config.schema.visualize import APPLICATION, RANDOM, VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.models.bundle import MODEL_FILE, ModelBundle
from convscope.models.layer_table import shape_text
from convscope.models.opening import Reading, of_run, open_checkpoint, open_snapshot, with_fresh_weights
from convscope.models.snapshots import is_snapshot, snapshot_at


@dataclass(frozen=True)
class Compared:
    """A model beside others: its short title, which no other has, and the model."""

    title: str
    bundle: ModelBundle

    def twins(self, other: "Compared") -> dict[str, Layer]:
        """This model's layers by the paths that another has for them.

        Where both are alike up to the head and the names differ, layers are matched by place: Keras'
        automatic names count on from whatever the process has built before. Else names decide.
        """
        mine, theirs = self.bundle.layers, other.bundle.layers
        by_path = {layer.path: layer for layer in mine}
        alike = 0
        while alike < min(len(mine), len(theirs)) and _same_kind(mine[alike], theirs[alike]):
            alike += 1
        by_place = {twin.path: own for own, twin in zip(mine[:alike], theirs[:alike], strict=True)}
        same_names = set(by_place) == {layer.path for layer in mine[:alike]}
        if same_names or alike < max(self._head, other._head):
            return by_path
        return {layer.path: layer for layer in mine[alike:]} | by_place

    @property
    def _head(self) -> int:
        """The place of the first layer after the maps; maps that have a channel a class are of the head."""
        classes = len(self.bundle.contract.class_names)
        trunk = [each.index for each in self.bundle.layers if each.has_maps and each.channels != classes]
        return max(trunk, default=0) + 1

    def same(self, layers: Sequence[Layer], other: "Compared", key: str) -> list[Layer]:
        """This model's layers that `layers` of another are in it.

        Raises:
            ConvscopeError: one is missing, or of another kind or shape; `key` says where layers are chosen.
        """
        own = self.twins(other)
        for layer in layers:
            twin = own.get(layer.path)
            if twin is None:
                raise ConvscopeError(
                    f"layer {layer.path} of {other.title} is not in {self.title}: choose layers that both "
                    f"have in {key}"
                )
            if not _same_kind(twin, layer):
                raise ConvscopeError(
                    f"layer {layer.path} is {layer.kind} {shape_text(layer.shape)} in {other.title}, "
                    f"{twin.kind} {shape_text(twin.shape)} in {self.title}: choose layers that are alike in "
                    f"{key}"
                )
        return [own[layer.path] for layer in layers]


def _same_kind(one: Layer, other: Layer) -> bool:
    return (one.kind, one.shape) == (other.kind, other.shape)


@dataclass(frozen=True)
class Comparison:
    """Several models; where layers are chosen, it is among those of the first."""

    all: list[Compared]

    @property
    def layers(self) -> list[Layer]:
        """Those of the first."""
        return self.all[0].bundle.layers

    @property
    def titles(self) -> list[str]:
        """Of the columns."""
        return [each.title for each in self.all]

    @property
    def provenance(self) -> dict[str, Any]:
        """Which models they are."""
        return {"models": self.titles, "model_sha256": [each.bundle.sha256 for each in self.all]}

    def same(self, layers: Sequence[Layer], key: str) -> list[list[Layer]]:
        """The layers of the first model in each of the models; ConvscopeError where one has not its like."""
        return [each.same(layers, self.all[0], key) for each in self.all]


def open_models(config: VisualizeConfig) -> Comparison:
    """Open what `compare` lists, in its order; all of them stay in memory.

    Raises:
        ConvscopeError: one cannot be opened, or they take pictures of different sizes.
    """
    trained = next(entry for entry in config.compare if entry != RANDOM)
    bundles = []
    for entry in config.compare:
        if entry == RANDOM:  # the file is opened again, so that the trained weights stay
            bundles.append(with_fresh_weights(_open(trained, config), config.seed))
        else:
            bundles.append(_open(entry, config))
    titles = names.unique(_title(entry, config) for entry in config.compare)
    models = [Compared(title, bundle) for title, bundle in zip(titles, bundles, strict=True)]
    first = models[0]
    for other in models[1:]:
        sizes = [shape_text(each.bundle.contract.input_size) for each in (first, other)]
        if sizes[0] != sizes[1]:
            raise ConvscopeError(
                f"{first.title} takes pictures of {sizes[0]} pixels, {other.title} of {sizes[1]}: expected "
                "models of one input size in compare"
            )
    used = {each.title: each.bundle.contract.preprocessing.name for each in models}
    if len({each.bundle.contract.preprocessing for each in models}) > 1:
        said = ", ".join(f"{title} {name}" for title, name in used.items())
        print(f"note: each model gets the preprocessing that is its own: {said}")
    return Comparison(models)


def _open(entry: str, config: VisualizeConfig) -> ModelBundle:
    if entry == APPLICATION:
        return open_model(config)
    path = Path(entry).expanduser()
    if is_snapshot(path):
        return open_snapshot(path, allow_code=config.allow_code)
    reading = reading_of(config)
    others = [Path(each).expanduser() for each in config.compare if each not in (RANDOM, APPLICATION)]
    if of_run(path) and (config.application or not all(map(of_run, others))):
        reading = Reading(allow_code=config.allow_code)  # what is said is of those that are no runs
    return open_checkpoint(path, reading)


def _title(entry: str, config: VisualizeConfig) -> str:
    """The name of the run's folder or of the file; the epoch of a snapshot with it."""
    if entry == APPLICATION:
        return str(config.application)
    if entry == RANDOM:
        return RANDOM
    path = Path(entry).expanduser().absolute()
    if is_snapshot(path):
        return f"{names.printable(path.parent.parent.name)} epoch {snapshot_at(path).epoch}"
    return names.printable(path.parent.name if path.name == MODEL_FILE and of_run(path) else path.name)
