from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from convscope.graph import flatten
from convscope.vis.gradients import value_and_gradient
from convscope.vis.receptive_field import Axis, ReceptiveField, receptive_fields


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        ("InceptionV3", "mixed10", 1311, 32),
        ("MobileNet", "conv_pw_13_relu", 315, 32),
        ("VGG16", "block5_pool", 212, 32),
    ],
)
def test_receptive_fields_agree_with_araujo_and_others(name: str, layer: str, size: int, stride: int) -> None:
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(224, 224, 3))
    layers = flatten(model).layers
    (index,) = [found.index for found in layers if found.path == layer]
    field = receptive_fields(layers)[index]
    assert (field.height.size, field.width.size) == (size, size)
    assert (field.height.stride, field.width.stride) == (stride, stride)


@keras.saving.register_keras_serializable()
class SummedConv2D(keras.layers.Conv2D):
    """A convolution with a call of its own."""

    def call(self, maps: Any) -> Any:
        return keras.ops.conv(maps, 2 * self.kernel, list(self.strides), self.padding)


def plain() -> keras.Model:
    inputs = keras.Input((41, 37, 1))
    x = keras.layers.Conv2D(2, (3, 5), strides=2, padding="same")(inputs)
    x = keras.layers.DepthwiseConv2D(3, dilation_rate=2)(x)
    return keras.Model(inputs, keras.layers.AveragePooling2D(2, strides=1)(x))


def branched() -> keras.Model:
    inputs = keras.Input((40, 40, 1))
    x = keras.layers.ZeroPadding2D(((1, 0), (3, 2)))(inputs)
    wide = keras.layers.Conv2D(2, 7, strides=2, padding="same")(x)
    narrow = keras.layers.Conv2D(2, 1, strides=2)(x)
    x = keras.layers.Concatenate()([wide, narrow])
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Multiply()([x, keras.ops.stop_gradient(gate)])
    return keras.Model(inputs, keras.layers.Cropping2D(2)(keras.layers.SeparableConv2D(2, 3)(x)))


def upwards() -> keras.Model:
    inputs = keras.Input((24, 24, 1))
    x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(inputs)
    x = keras.layers.UpSampling2D(2)(x)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1)(x))


def of_operations() -> keras.Model:
    """Windows of `keras.ops`: a convolution, a pooling, a depthwise convolution, and what acts in place."""
    inputs = keras.Input((41, 37, 1))
    x = keras.ops.conv(inputs, np.ones((3, 5, 1, 2), np.float32), strides=(2, 1), padding="same")
    x = keras.ops.concatenate([keras.ops.relu(x), 2 * x + 1], axis=-1)
    x = keras.ops.average_pool(x, (3, 2), strides=2, padding="same")
    x = keras.layers.Conv2D(2, (2, 3))(x)
    x = keras.ops.depthwise_conv(x, np.ones((2, 2, 2, 1), np.float32))
    return keras.Model(inputs, keras.layers.Activation("linear")(x))


def residual() -> keras.Model:
    """A block with a strided shortcut and a convolution with a call of its own.

    The side is odd: TensorFlow 2.21's gradient of a 1x1 convolution with stride 2 on an even one corrupts
    memory on some CPUs.
    """
    inputs = keras.Input((41, 41, 1))
    x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(inputs)
    x = SummedConv2D(2, 3, padding="same")(x)
    shortcut = keras.layers.Conv2D(2, 1, strides=2, padding="same")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(1, 2)(keras.layers.Add()([x, shortcut])))


@pytest.mark.parametrize("make", [plain, branched, upwards, of_operations, residual])
def test_the_field_is_where_the_gradient_is_not_zero(make: object) -> None:
    """All kernels are positive and nothing is cut off: the gradient is zero exactly outside of the field."""
    model = make()
    model.set_weights([np.abs(each) + 0.1 for each in model.get_weights()])
    graph = flatten(model)
    field = receptive_fields(graph.layers)[-1]
    height, width = graph.layers[-1].shape[:2]
    for row, column in [(0, 0), (height // 2, width // 2), (height // 2, 0), (height - 1, width - 1)]:
        picture = keras.ops.ones((1, *model.input_shape[1:]))
        _, gradient = value_and_gradient(lambda x, r=row, c=column: graph.model(x)[0, r, c, 0], picture)
        rows, columns = np.nonzero(np.asarray(gradient)[0, :, :, 0])
        top, left, bottom, right = field.window(row, column)
        if make is upwards:  # two positions share a field, so that every second start is a half
            top, left = np.floor([top, left] - np.array(field.height.stride * (np.array([row, column]) % 2)))
            bottom, right = top + field.height.size, left + field.width.size
        assert rows.min() == max(0, top)
        assert columns.min() == max(0, left)
        assert rows.max() == min(picture.shape[1], bottom) - 1
        assert columns.max() == min(picture.shape[2], right) - 1


def test_the_field_of_the_head_is_the_whole_picture() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    layers = flatten(keras.Model(inputs, keras.layers.Dense(2)(x))).layers
    assert receptive_fields(layers)[2:] == [None, None]


def last_field(model: keras.Model) -> ReceptiveField | None:
    return receptive_fields(flatten(model).layers)[-1]


@keras.saving.register_keras_serializable()
class Unknown(keras.layers.Layer):
    """A layer of a package that convscope does not know."""

    def call(self, maps: Any) -> Any:
        return keras.ops.flip(maps, axis=1)


@keras.saving.register_keras_serializable()
class StandardizedConv2D(keras.layers.Conv2D):
    """A convolution with a call of its own, which sees what a convolution sees."""

    def call(self, maps: Any) -> Any:
        kernel = self.kernel - keras.ops.mean(self.kernel, axis=(0, 1, 2))
        return keras.ops.conv(maps, kernel, list(self.strides), self.padding)


@keras.saving.register_keras_serializable()
class CenteredConv2D(keras.layers.Conv2D):
    """A convolution with a call of its own, which sees the whole map."""

    def call(self, maps: Any) -> Any:
        return super().call(maps - keras.ops.mean(maps, axis=(1, 2), keepdims=True))


@pytest.mark.parametrize(
    "merge", [keras.layers.Add(), keras.layers.Concatenate(), keras.layers.Multiply(), keras.ops.add]
)
def test_an_unknown_branch_makes_the_field_unknown(merge: Any) -> None:
    inputs = keras.Input((16, 16, 3))
    conv = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    branches = [conv, Unknown()(conv)]
    merged = merge(*branches) if merge is keras.ops.add else merge(branches)
    assert last_field(keras.Model(inputs, keras.layers.ReLU()(merged))) is None


def test_a_layer_after_an_unknown_one_has_an_unknown_field() -> None:
    inputs = keras.Input((16, 16, 3))
    assert last_field(keras.Model(inputs, keras.layers.Conv2D(4, 3)(Unknown()(inputs)))) is None


def test_an_operation_between_layers_is_counted() -> None:
    inputs = keras.Input((20, 20, 3))
    pooled = keras.ops.max_pool(keras.layers.Conv2D(4, 3)(inputs), 2)
    field = last_field(keras.Model(inputs, keras.layers.Conv2D(4, 3)(pooled)))
    assert field == ReceptiveField(Axis(0, 8, 2), Axis(0, 8, 2))


@pytest.mark.parametrize(
    "operation",
    [
        lambda maps: keras.ops.flip(maps, axis=1),
        lambda maps: keras.ops.softmax(maps, axis=1),
        lambda maps: keras.ops.roll(maps, 3, axis=2),
        lambda maps: maps - keras.ops.mean(maps, axis=(1, 2), keepdims=True),
        lambda maps: keras.ops.concatenate([maps, maps], axis=1),
        lambda maps: keras.ops.transpose(maps, (0, 2, 1, 3)),
    ],
)
def test_operations_that_move_or_mix_positions_are_unknown(operation: Callable[[Any], Any]) -> None:
    inputs = keras.Input((12, 12, 3))
    maps = operation(keras.layers.Conv2D(4, 3)(inputs))
    assert last_field(keras.Model(inputs, keras.layers.Conv2D(4, 3)(maps))) is None


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Concatenate(axis=1),
        keras.layers.Softmax(axis=(1, 2)),
        keras.layers.Permute((2, 1, 3)),
        keras.layers.Activation(lambda maps: keras.ops.flip(maps, axis=1)),
        keras.layers.Conv2D(4, 3, activation=lambda maps: keras.ops.flip(maps, axis=1)),
        CenteredConv2D(4, 3),
    ],
)
def test_layers_that_move_or_mix_positions_are_unknown(layer: keras.layers.Layer) -> None:
    inputs = keras.Input((12, 12, 3))
    maps = keras.layers.Conv2D(4, 3)(inputs)
    maps = layer([maps, maps] if isinstance(layer, keras.layers.Concatenate) else maps)
    assert last_field(keras.Model(inputs, maps)) is None


def test_a_global_branch_that_is_added_makes_the_field_the_whole_picture() -> None:
    """A gate only scales channels; a sum carries the values of all positions."""
    inputs = keras.Input((12, 12, 3))
    maps = keras.layers.Conv2D(4, 3)(inputs)
    context = keras.layers.GlobalAveragePooling2D(keepdims=True)(maps)
    assert last_field(keras.Model(inputs, keras.layers.Multiply()([maps, context]))).height.size == 3
    assert last_field(keras.Model(inputs, keras.layers.Add()([maps, context]))) is None


@pytest.mark.parametrize("kind", [StandardizedConv2D, type("WSConv", (keras.layers.Conv2D,), {})])
def test_a_subclass_of_a_convolution_is_one_if_its_gradient_agrees(kind: type) -> None:
    inputs = keras.Input((24, 24, 3))
    maps = kind(4, 5, strides=2, padding="same", activation=lambda maps: maps * 2)(inputs)
    field = last_field(keras.Model(inputs, kind(4, 3)(maps)))
    assert (field.height.start, field.height.size, field.height.stride) == (-1, 9, 2)
