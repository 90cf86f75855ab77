import keras
import pytest
import tensorflow as tf

from convscope.graph import flatten
from convscope.models.layer_table import as_text, layer_rows


def test_flops_and_parameters_by_hand() -> None:
    inputs = keras.Input((10, 12, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv")(inputs)  # 4 x 5 positions, kernels 3·3·3·4 = 108
    x = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)  # 3·3·4 = 36
    x = keras.layers.BatchNormalization(name="normal")(x)
    x = keras.layers.Conv2DTranspose(2, 2, strides=2, name="up")(x)  # at the 4 x 5 positions of its input
    x = keras.layers.PReLU(name="slopes")(x)  # 8·10·2 weights, and no kernel
    x = keras.layers.Flatten(name="flatten")(x)  # 8·10·2 = 160
    model = keras.Model(inputs, keras.layers.Dense(5, name="dense")(x))
    model.get_layer("dense").trainable = False
    rows = {row.name: row for row in layer_rows(flatten(model).layers)}
    assert rows["conv"].flops == 2 * 20 * 108
    assert rows["depthwise"].flops == 2 * 20 * 36
    assert rows["normal"].flops == 0
    assert rows["up"].flops == 2 * 20 * (2 * 2 * 4 * 2)
    assert rows["slopes"].flops == 0
    assert (rows["normal"].parameters, rows["normal"].trained) == (16, 8)
    assert rows["dense"].flops == 2 * 160 * 5
    assert rows["conv"].shape == (4, 5, 4)
    assert rows["conv"].parameters == 108 + 4
    text = as_text(layer_rows(flatten(model).layers)).splitlines()
    assert len(text) == 1 + 8 + 1
    assert text[8].split() == ["dense", "Dense", "5", "805", "0.0", "frozen"]
    assert text[-1].split()[:2] == ["total", f"{model.count_params():,}"]


@pytest.mark.parametrize("name", ["VGG16", "MobileNetV2", "Xception", "ResNet50V2", "DenseNet121"])
def test_flops_are_those_of_the_profiler_of_tensorflow(name: str) -> None:
    """The profiler also counts a multiply-add as two operations."""
    size = 96
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), include_top=False)
    call = tf.function(lambda x: model(x, training=False))
    graph = call.get_concrete_function(tf.TensorSpec((1, size, size, 3))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    )
    options = options.with_empty_output().with_accounted_types(
        ["Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"]
    )
    counted = tf.compat.v1.profiler.profile(graph, options=options.build()).total_float_ops
    assert sum(row.flops for row in layer_rows(flatten(model).layers)) == pytest.approx(counted, rel=1e-3)
