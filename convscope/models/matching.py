"""Match the layers of two models of one architecture."""

from convscope.graph import Layer
from convscope.models.bundle import ModelBundle


def matching_layers(first: ModelBundle, other: ModelBundle) -> dict[str, Layer]:
    """Return the layers of `other` by the paths that `first` has for them.

    Where both models are alike up to the head and the names differ, layers are matched by index: Keras
    numbers its automatic names by what the process has built before. Otherwise they are matched by path.
    """
    theirs, mine = first.layers, other.layers
    by_path = {layer.path: layer for layer in mine}
    alike = 0
    while alike < min(len(mine), len(theirs)) and same_type_and_shape(mine[alike], theirs[alike]):
        alike += 1
    by_index = {match.path: own for own, match in zip(mine[:alike], theirs[:alike], strict=True)}
    same_paths = set(by_index) == {layer.path for layer in mine[:alike]}
    if same_paths or alike < max(_head_start(first), _head_start(other)):
        return by_path
    return {layer.path: layer for layer in mine[alike:]} | by_index


def same_type_and_shape(one: Layer, other: Layer) -> bool:
    """Return whether two layers have the same type and the same output shape."""
    return (one.kind, one.shape) == (other.kind, other.shape)


def _head_start(bundle: ModelBundle) -> int:
    """Return the index of the first layer of the head, to which maps with a channel for each class belong."""
    classes = len(bundle.contract.class_names)
    trunk = [layer.index for layer in bundle.layers if layer.has_maps and layer.channels != classes]
    return max(trunk, default=0) + 1
