"""How fast training is: a step by model and precision, an epoch, and an epoch on cached features.

A step is a batch of noise in `train_on_batch`; it is compared with Keras and its defaults, and that of the
small convnet also with its convolutions alone, which no training can be faster than. An epoch is a small
convnet at 150 pixels on about 650 pictures of FOLDER (or drawn pictures) with the augmentation of the flowers
project; it is compared with `flow_from_directory` of ImageDataGenerator and `fit`, as in the older
projects; the first epoch decodes the photographs, and later ones find them in memory.
The head of MobileNetV2 on cached features of the same pictures is compared with the whole network with a
frozen trunk. The benchmark takes three to four minutes.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from convscope.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.keras.preprocessing.image import ImageDataGenerator  # noqa: E402

from convscope.data.augment import Ranges, fast_augmentation  # noqa: E402
from convscope.data.features import FeatureBatches, cached  # noqa: E402
from convscope.data.pipeline import Batches, LabelledImages, Randomness  # noqa: E402
from convscope.data.procedural_files import generate  # noqa: E402
from convscope.models import pretrained, small_convnet  # noqa: E402
from convscope.models.applications import application  # noqa: E402
from convscope.models.head import Head, split_at_head  # noqa: E402
from convscope.preprocessing import by_name  # noqa: E402
from convscope.training.precision import in_precision, known_to_hardware  # noqa: E402
from convscope.training.recipe import Recipe  # noqa: E402

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "flowers"
AUGMENTATION = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "horizontal_flip": True,
}
CLASSES, BATCH = 5, 32


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="class folders of photographs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    results = []
    for name, batch, repeats in (("small_convnet", BATCH, 6), ("MobileNetV2", 16, 4), ("InceptionV3", 16, 3)):
        results += _steps(name, batch, repeats)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or (SHARED if SHARED.is_dir() else _drawn(Path(scratch)))
        examples = _examples(folder)
        results += _epochs(examples, Path(scratch) / "classes")
        results.append(_cached_epoch(examples, Path(scratch)))
    for result in results:
        print(
            f"{result['case']:44} {result['ours']:7.1f} {result['unit']}  {result['other_name']}: "
            f"{result['other']:7.1f}, ratio {result['ratio']:.2f}"
        )
    if options.json:
        print(json.dumps({"benchmark": "train", "results": results}))


def _drawn(scratch: Path) -> Path:
    generate(scratch, images_per_class=130, image_size=227, difficulty=0.42, seed=0)
    return scratch / "images"


def _model(name: str) -> keras.Model:
    if name == "small_convnet":
        return small_convnet.build(CLASSES, input_size=150)
    wanted = application(name)
    return pretrained.from_application(
        wanted, CLASSES, input_size=wanted.input_size, weights=None, head=Head()
    )


def _steps(name: str, batch: int, repeats: int) -> list[dict[str, Any]]:
    model = _model(name)
    rng = np.random.default_rng(0)
    data = (
        rng.uniform(0, 1, (batch, *model.input_shape[1:])).astype(np.float32),
        np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, batch)],
    )
    plain = keras.models.clone_model(model)
    plain.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    networks = {"plain Keras": plain}
    for precision in known_to_hardware():
        networks[precision] = in_precision(keras.models.clone_model(model), precision)
        Recipe().compile(networks[precision], steps=100)
    fastest = known_to_hardware()[-1]
    runs = {name: partial(network.train_on_batch, *data) for name, network in networks.items()}
    if name == "small_convnet":
        runs["convolutions alone"] = partial(_run_all, _convolutions(model, batch, fastest))
    seconds: dict[str, list[float]] = {case: [] for case in runs}
    for number in range(repeats + 1):
        for case, run in runs.items():
            duration = _seconds(run)
            if number:  # the first step builds the graph
                seconds[case].append(duration)
    rate = {case: batch / statistics.median(durations) for case, durations in seconds.items()}
    results = [
        _result(f"step, {name}, {precision}", rate[precision], rate["plain Keras"], "plain Keras")
        for precision in known_to_hardware()
    ]
    if "convolutions alone" in rate:
        bound = rate["convolutions alone"]
        results.append(
            _result(f"step, {name}, upper bound", rate[fastest], bound, f"its convolutions in {fastest}")
        )
    return results


def _convolutions(model: keras.Model, batch: int, precision: str) -> list[Callable[[], Any]]:
    """Return the convolutions of a training step and their gradients, as TensorFlow computes them.

    No input pipeline, optimizer or graph can make a step faster than these operations.
    """
    rng, dtype = np.random.default_rng(0), precision.removeprefix("mixed_")
    common = {"strides": [1] * 4, "padding": "VALID"}
    operations: list[Callable[[], Any]] = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        shapes = ((batch, *layer.input.shape[1:]), layer.kernel.shape, (batch, *layer.output.shape[1:]))
        maps, kernel, gradient = (tf.cast(rng.normal(size=shape), dtype) for shape in shapes)
        if operations:  # nothing needs the gradient of the pixels
            operations.append(
                partial(
                    tf.raw_ops.Conv2DBackpropInput,
                    input_sizes=shapes[0], filter=kernel, out_backprop=gradient, **common,
                )
            )  # fmt: skip
        operations += [
            partial(tf.raw_ops.Conv2D, input=maps, filter=kernel, **common),
            partial(
                tf.raw_ops.Conv2DBackpropFilter,
                input=maps, filter_sizes=shapes[1], out_backprop=gradient, **common,
            ),
        ]  # fmt: skip
    return [tf.function(operation) for operation in operations]


def _run_all(operations: Sequence[Callable[[], Any]]) -> None:
    for operation in operations:
        operation()


def _examples(folder: Path) -> LabelledImages:
    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    paths = files[:: max(1, len(files) // 650)]
    names = sorted({path.parent.name for path in paths})
    return LabelledImages(
        paths, np.array([names.index(path.parent.name) for path in paths]), names, plain=True
    )


def _epochs(examples: LabelledImages, scratch: Path) -> list[dict[str, Any]]:
    paths, names = examples.paths, examples.classes
    for path in paths:
        link = scratch / path.parent.name / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    batches = Batches(
        examples,
        size=(150, 150),
        preprocessing=by_name("unit_range"),
        batch_size=BATCH,
        randomness=Randomness(0, fast_augmentation(Ranges(**AUGMENTATION))),
    )
    ours = in_precision(small_convnet.build(len(names), input_size=150), known_to_hardware()[-1])
    Recipe().compile(ours, len(batches))
    batches.keep_pixels()
    flow = ImageDataGenerator(**AUGMENTATION, rescale=1 / 255).flow_from_directory(
        scratch, target_size=(150, 150), batch_size=BATCH
    )
    theirs = small_convnet.build(len(names), input_size=150)
    theirs.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    ours.train_on_batch(*batches.resized((150, 150))[0])  # the first step builds the graph
    theirs.train_on_batch(*flow[0])
    first, later = (
        [
            len(paths)
            / _seconds(lambda network=network, data=data: network.fit(data, verbose=0, shuffle=False))
            for network, data in ((ours, batches), (theirs, flow))
        ]
        for _ in range(2)
    )
    other = "ImageDataGenerator and fit"
    return [
        _result(f"first epoch, small_convnet, {len(paths)} photographs", *first, other),
        _result("later epoch, photographs in memory", *later, other),
    ]


def _cached_epoch(examples: LabelledImages, scratch: Path) -> dict[str, Any]:
    model = _model("MobileNetV2")
    pretrained.set_trainable(model, "head")
    trunk, head = split_at_head(model)
    pictures = Batches(examples, size=(224, 224), preprocessing=by_name("minus_one_to_one"), batch_size=BATCH)
    features = cached(scratch / "features.npy", trunk, pictures)
    vectors = FeatureBatches(
        features, np.arange(len(features)), pictures.targets, batch_size=BATCH, shuffle_seed=0
    )
    rates = []
    for network, data in ((head, vectors), (model, pictures)):
        Recipe().compile(network, len(data))
        network.fit(*data[0], verbose=0)  # builds the graph
        rates.append(
            len(features) / _seconds(lambda network=network, data=data: network.fit(data, verbose=0))
        )
    return _result("epoch, MobileNetV2's head on cached features", *rates, "frozen trunk, pictures")


def _seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _result(case: str, ours: float, other: float, other_name: str) -> dict[str, Any]:
    return {
        "case": case,
        "unit": "images/s",
        "ours": ours,
        "other": other,
        "other_name": other_name,
        "ratio": ours / other,
    }


if __name__ == "__main__":
    main()
