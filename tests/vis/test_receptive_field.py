import keras
import numpy as np
import pytest

from convscope.graph import flatten
from convscope.vis.gradients import value_and_gradient
from convscope.vis.receptive_field import receptive_fields


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        ("InceptionV3", "mixed10", 1311, 32),
        ("MobileNet", "conv_pw_13_relu", 315, 32),
        ("VGG16", "block5_pool", 212, 32),
    ],
)
def test_they_are_those_that_araujo_and_others_give(name: str, layer: str, size: int, stride: int) -> None:
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(224, 224, 3))
    layers = flatten(model).layers
    (place,) = [each.index for each in layers if each.path == layer]
    field = receptive_fields(layers)[place]
    assert (field.height.size, field.width.size) == (size, size)
    assert (field.height.stride, field.width.stride) == (stride, stride)


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


@pytest.mark.parametrize("make", [plain, branched, upwards])
def test_what_a_place_sees_is_where_the_gradient_is(make: object) -> None:
    """All kernels positive, nothing cut off: a pixel has a gradient exactly if it is seen."""
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
        if make is upwards:  # two places share what they see: between them starts are halves
            top, left = np.floor([top, left] - np.array(field.height.stride * (np.array([row, column]) % 2)))
            bottom, right = top + field.height.size, left + field.width.size
        assert rows.min() == max(0, top)
        assert columns.min() == max(0, left)
        assert rows.max() == min(picture.shape[1], bottom) - 1
        assert columns.max() == min(picture.shape[2], right) - 1


def test_behind_the_head_a_place_sees_everything() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    layers = flatten(keras.Model(inputs, keras.layers.Dense(2)(x))).layers
    assert receptive_fields(layers)[2:] == [None, None]
