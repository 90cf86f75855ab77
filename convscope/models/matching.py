"""Match the layers of two models of one architecture."""

from convscope.graph import Layer
from convscope.models.bundle import ModelBundle


def matching_layers(first: ModelBundle, other: ModelBundle) -> dict[str, Layer]:
    """Return the layers of `other` by the paths of the matching layers of `first`.

    Layers are matched by path. If the layers of both models have equal types and shapes up to the head, but
    other names, they are matched by index: the automatic names of Keras depend on the models that the process
    has built before.
    """
    equal = 0  # layers at the beginning
    while equal < min(len(first.layers), len(other.layers)) and same_type_and_shape(
        first.layers[equal], other.layers[equal]
    ):
        equal += 1
    by_index = {
        layer.path: match for layer, match in zip(first.layers[:equal], other.layers[:equal], strict=True)
    }
    same_paths = set(by_index) == {layer.path for layer in other.layers[:equal]}
    if same_paths or equal < max(_head_start(first), _head_start(other)):
        return {layer.path: layer for layer in other.layers}
    return {layer.path: layer for layer in other.layers[equal:]} | by_index


def same_type_and_shape(one: Layer, other: Layer) -> bool:
    """Return whether two layers have the same type and the same output shape."""
    return (one.kind, one.shape) == (other.kind, other.shape)


def _head_start(bundle: ModelBundle) -> int:
    """Return the index of the first layer of the head. Maps with one channel per class belong to the head."""
    classes = len(bundle.contract.class_names)
    trunk = [layer.index for layer in bundle.layers if layer.has_maps and layer.channels != classes]
    return max(trunk, default=0) + 1
