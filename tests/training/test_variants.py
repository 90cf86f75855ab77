"""Test-time augmentation: the variants of a photograph, and the average of their predictions."""

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import at_size
from convscope.training.test_time import VariantModel, geometric_mean
from convscope.training.variants import Variants


def network(*head: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    for layer in head or [keras.layers.GlobalAveragePooling2D()]:
        maps = layer(maps)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(maps))


def test_variants_have_names_sizes_and_a_count() -> None:
    variants = Variants.parse(["1.29", "flip", "1.0", "0.5"], "tta")
    assert variants == Variants(mirrored=True, scales=(1.0, 0.5, 1.29))
    assert variants.names == ["flip", "0.5", "1.29"]
    assert variants.count == 6
    assert variants.sizes((224, 229)) == [(224, 229), (112, 112), (288, 296)]  # 1.29 * 229 = 295.4
    assert Variants.parse([], "tta").count == 1


@pytest.mark.parametrize("name", ["fliip", "0", "5", "nan", "-1"])
def test_an_unknown_variant_is_refused(name: str) -> None:
    with pytest.raises(ConvscopeError, match=f"tta: {name} is unknown: expected flip, or a factor"):
        Variants.parse(["flip", name], "tta")


def test_the_average_is_that_of_logarithms() -> None:
    # by hand: both roots of 0.8 * 0.2 are 0.4; the roots of 0.5 * 0.5 and 0.5 * 0.02 are 0.5 and 0.1
    parts = [np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([[0.2, 0.8], [0.5, 0.02]])]
    np.testing.assert_allclose(geometric_mean(parts), [[0.5, 0.5], [5 / 6, 1 / 6]])
    np.testing.assert_allclose(geometric_mean([np.array([[1.0, 0.0, 0.0]])]), [[1, 0, 0]], atol=1e-40)


def test_a_saturated_sigmoid_does_not_outweigh_the_other_variants() -> None:
    """1 - p of float32 is 0 above 1 - 2^-25: its logit counts as 17.3 and not as 103."""
    second = np.array([1.0, 1e-4, 1e-4, 1e-4])
    averaged = geometric_mean([np.array([[1 - p, p]]) for p in second])
    logit = (np.log(2**25) + 3 * np.log(1e-4 / (1 - 1e-4))) / 4
    assert averaged[0, 1] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)


def test_a_scale_that_does_not_change_the_size_is_refused() -> None:
    with pytest.raises(ConvscopeError, match="gives 96×96 pixels, as another one does"):
        Variants.parse(["1.02"], "tta").sizes((96, 96))


def test_the_prediction_is_the_average_over_sizes_and_mirror_images() -> None:
    model = network()
    averaged = VariantModel(model, (16, 16), Variants.parse(["flip", "1.5"], "tta"))
    assert averaged.sizes == [(16, 16), (24, 24)]
    pictures = [np.random.default_rng(0).normal(size=(4, *size, 3)).astype("f4") for size in averaged.sizes]

    convolution, _, dense = model.layers[1:]

    def logits(batch: np.ndarray) -> np.ndarray:
        features = np.asarray(convolution(batch)).mean(axis=(1, 2))
        return features @ np.asarray(dense.kernel) + np.asarray(dense.bias)

    # The softmax of mean logits: the terms that normalize each prediction are the same for all classes.
    mean = np.mean([logits(view) for batch in pictures for view in (batch, batch[:, :, ::-1])], axis=0)
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(averaged.probabilities(pictures), expected, rtol=1e-5)

    mirrored = [batch[:, :, ::-1] for batch in pictures]
    np.testing.assert_allclose(averaged.probabilities(mirrored), expected, rtol=1e-5)
    known = averaged.probabilities(pictures, np.asarray(model(pictures[0])))
    np.testing.assert_allclose(known, expected, rtol=1e-5)


def test_a_network_with_a_dense_layer_over_positions_has_one_size() -> None:
    # The second network would run at 24 pixels, but its pooling would ignore the positions at the border.
    pooled = network(keras.layers.AveragePooling2D(14), keras.layers.Flatten())
    for model in (network(keras.layers.Flatten()), pooled):
        VariantModel(model, (16, 16), Variants.parse(["flip"], "tta"))
        with pytest.raises(
            ConvscopeError, match="takes 16×16 pixels and not 24×24, because it flatt"
        ) as raised:
            VariantModel(model, (16, 16), Variants.parse(["1.5"], "tta"))
        assert str(raised.value).startswith("tta=[1.5]: ")


def test_a_network_for_any_size_has_the_size_of_its_contract() -> None:
    model = at_size(network(), (None, None, 3))
    averaged = VariantModel(model, (16, 16), Variants.parse(["flip", "1.5"], "tta"))
    assert averaged.sizes == [(16, 16), (24, 24)]
    pictures = [np.ones((1, *size, 3), np.float32) for size in averaged.sizes]
    assert averaged.probabilities(pictures).sum() == pytest.approx(1)
