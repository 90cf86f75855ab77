import pytest

from convscope.models import small_convnet


def test_shapes_and_parameters_are_those_of_the_book() -> None:
    """F. Chollet, Deep Learning with Python, listing 5.5: 3,453,121 parameters with one sigmoid unit."""
    model = small_convnet.build(5, input_size=150)
    assert model.count_params() == 3_453_121 - 513 + 512 * 5 + 5
    shapes = [tuple(layer.output.shape[1:]) for layer in model.layers[1:9]]
    assert shapes == [
        (148, 148, 32), (74, 74, 32), (72, 72, 64), (36, 36, 64),
        (34, 34, 128), (17, 17, 128), (15, 15, 128), (7, 7, 128),
    ]  # fmt: skip


@pytest.mark.parametrize("widths", [(4,), (3, 5, 7)])
def test_one_convolution_per_width(widths: tuple[int, ...]) -> None:
    model = small_convnet.build(2, input_size=40, widths=widths, units=6)
    assert [layer.filters for layer in model.layers if "conv2d" in layer.name] == list(widths)


def test_batch_normalization_comes_before_the_relu_and_sigmoid_is_one_unit() -> None:
    model = small_convnet.build(
        2, input_size=40, widths=(4, 5), units=6, batch_normalization=True, output="sigmoid"
    )
    assert [layer.name for layer in model.layers[1:5]] == [
        "conv2d_1", "batch_normalization_1", "relu_1", "max_pooling2d_1",
    ]  # fmt: skip
    assert not model.get_layer("conv2d_1").use_bias
    assert model.output_shape == (None, 1)
    assert model.layers[-1].activation.__name__ == "sigmoid"
