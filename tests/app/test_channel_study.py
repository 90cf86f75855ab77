"""The study of channels: which images, classes and channels are computed, and what is left out."""

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from convscope.app.visualize.views.channels import crops
from convscope.app.visualize.views.channels.content import (
    COLUMNS,
    index_content,
    layer_content,
    rounded,
    table_rows,
)  # fmt: skip
from convscope.graph import flatten
from convscope.vis.channels.study import Reference, Study, balanced, largest_groups, layers_to_study, study


def studied(labels: np.ndarray | None, *, minutes: float, limit: int = 1000) -> Study:
    """Study a network of twelve classes on 60 images of noise, one channel of it dead."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(3, 3, activation="relu", name="maps")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    graph = flatten(keras.Model(inputs, keras.layers.Dense(12, activation="softmax")(x)))
    graph.layers[1].keras_layer.bias.assign([0, -100, 0])
    images = np.random.default_rng(0).uniform(0, 1, (60, 6, 6, 3)).astype(np.float32)

    def batches(indices: np.ndarray) -> Iterator[np.ndarray]:
        yield images[indices]

    chosen = layers_to_study(graph.layers, [], "layers")
    reference = Reference(60, labels, batches)
    return study(graph.model, graph.layers, chosen, reference, limit=limit, minutes=minutes)


def test_classes_beyond_the_ten_largest_are_counted_together() -> None:
    labels = np.arange(60) % 12
    labels[labels == 3] = 4  # no image of 3; 2 loses some to 5
    labels[[2, 14, 26]] = 5
    found = studied(labels, minutes=1)
    assert found.classes.tolist() == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11]
    assert found.left_out == ["10 of 12 classes have numbers of their own."]
    (layer,) = found.layers
    assert layer.removed.tolist() == [0, 2]  # not the dead one
    names = [f"class {index}" for index in range(12)]
    shared = index_content(found, names, [str(index) for index in found.images], str)
    assert shared["classes"] == [names[label] for label in found.classes]
    assert [shared["images"][index][1] for index in (0, 2, 3, 5, 38)] == [0, 3, 2, 3, None]
    content = layer_content(found, layer, str, {})
    counts = np.array(content["channels"][0]["histogram"]["counts"]).sum(axis=1)
    assert counts.tolist() == [5, 5, 10, 8, 5, 5, 5, 5, 5, 5, 2]  # two images of class 2
    assert content["dead"] == [1]
    assert "removed" not in content["channels"][1]
    table = [dict(zip(COLUMNS, row, strict=True)) for row in table_rows(found, names)]
    assert [row["dead"] for row in table] == [0, "", 0]  # 60 images are too few to call the second one dead


def test_channels_without_pictures_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = studied(None, minutes=0).layers
    assert crops.left_out(layers) == []
    monkeypatch.setattr(crops, "CHANNELS", 1)
    assert crops.left_out(layers) == [
        "1 of the 2 channels that are not always zero have pictures of their examples, those with the "
        "strongest push."
    ]


def test_no_time_gives_the_fewest_images_and_no_removal() -> None:
    found = studied(np.arange(60) % 12, minutes=0)
    assert (len(found.images), len(found.pushed), len(found.removed)) == (32, 12, 0)
    assert found.before is None
    assert found.left_out == [
        "Values and examples are measured on 32 of 60 images.",
        "Push is measured on 12 of 32 images.",
        "10 of 12 classes have numbers of their own.",
        "0 of the 2 channels that are not always zero were removed, those with the strongest push.",
    ]
    few = studied(None, minutes=1, limit=7)
    assert few.images.tolist() == [0, 10, 20, 30, 39, 49, 59]
    assert few.left_out[-1].startswith("No channel was removed, because the true classes")


def test_images_are_balanced_by_hand() -> None:
    groups = np.array([0] * 9 + [1] * 3 + [2] * 5)
    assert balanced(groups, 8).tolist() == [0, 8, 9, 11, 12, 16]  # two of each: seven would be unequal
    assert balanced(groups, 11).tolist() == [0, 3, 5, 8, 9, 10, 11, 12, 13, 15, 16]
    assert balanced(groups, 100).tolist() == list(range(17))
    assert balanced(groups, 2).tolist() == [0, 16]  # fewer than groups
    assert largest_groups(np.array([3, 3, 1]), 4).tolist() == [0, 1, 2, 3]


def test_numbers_are_rounded_to_four_digits_and_nan_is_none() -> None:
    assert rounded(np.array([[123456.0, 0.000123456], [np.nan, 0]])) == [[123500.0, 0.0001235], [None, 0]]
