"""One model or several of one architecture, as a sequence."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.models.layer_table import shape_text
from convscope.models.matching import matching_layers, same_type_and_shape
from convscope.models.states import ModelState


class Models(Sequence[ModelState]):
    """One model or several of one architecture.

    Layers are chosen in the first model and matched in the others. Iterating loads the weights of each model
    into its network. Complete the work on one model before the next one: states of one training share a
    network.
    """

    def __init__(self, states: Sequence[ModelState]) -> None:
        """Check that all models take photographs of one size; raise ConvscopeError if they do not."""
        self._states = list(states)
        first = states[0]
        for other in states[1:]:
            sizes = [shape_text(state.bundle.contract.input_size) for state in (first, other)]
            if sizes[0] != sizes[1]:
                raise ConvscopeError(
                    f"compare: {first.title} has an input of {sizes[0]} pixels, {other.title} of {sizes[1]}; "
                    "expected models with the same input size"
                )

    @overload
    def __getitem__(self, index: int) -> ModelState: ...
    @overload
    def __getitem__(self, index: slice) -> list[ModelState]: ...
    def __getitem__(self, index: int | slice) -> ModelState | list[ModelState]:
        return self._states[index]

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[ModelState]:
        for state in self._states:
            state.load_weights()
            yield state

    @property
    def first(self) -> ModelBundle:
        """The model in which layers are chosen."""
        return self._states[0].bundle

    @property
    def last(self) -> ModelBundle:
        """The model that provides the data set and the classes."""
        return self._states[-1].bundle

    @property
    def titles(self) -> list[str]:
        """The title of each model."""
        return [state.title for state in self._states]

    @property
    def provenance(self) -> dict[str, Any]:
        """The hash of a single model, or titles and hashes of several models."""
        if len(self) == 1:
            return {"model_sha256": self.first.sha256}
        return {"models": self.titles, "model_sha256": [state.bundle.sha256 for state in self._states]}

    def counterparts(self, layers: Sequence[Layer], key: str) -> list[list[Layer]]:
        """Return, for each model, its layers that match `layers` of the first model.

        Raises:
            ConvscopeError: a model has no matching layer; `key` is the option that chose the layers.
        """
        first = self._states[0]
        return [
            list(layers)  # of the same network
            if state.bundle.graph is first.bundle.graph
            else _counterparts(layers, first, state, key)
            for state in self._states
        ]


def _counterparts(layers: Sequence[Layer], first: ModelState, other: ModelState, key: str) -> list[Layer]:
    matches = matching_layers(first.bundle, other.bundle)
    for layer in layers:
        match = matches.get(layer.path)
        if match is None:
            raise ConvscopeError(
                f"{other.title} has no layer that matches {layer.path} of {first.title}: choose layers of "
                f"both models in {key}"
            )
        if not same_type_and_shape(match, layer):
            raise ConvscopeError(
                f"layer {layer.path} is {layer.kind} {shape_text(layer.shape)} in {first.title}, "
                f"{match.kind} {shape_text(match.shape)} in {other.title}: choose layers with the same "
                f"type and shape in {key}"
            )
    return [matches[layer.path] for layer in layers]
