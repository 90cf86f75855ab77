import keras

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
