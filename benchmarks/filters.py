"""How fast gradient ascent reaches a response, beside the book's loop and tf-keras-vis 0.8.7.

The book's loop is that of F. Chollet, Deep Learning with Python, second edition, listings 9.18 to 9.21: one
filter at a time. tf-keras-vis runs ActivationMaximization with its defaults, all filters in one batch. All
three get pixels from 0 to 255, the preprocessing of the model, the same layer and the same size of pictures.

A response is measured in float32 on the 8-bit picture, before the activation: the mean of the positive values
over all positions, and the highest value. Cases "at the same ..." compare the seconds per filter until a
picture reaches the final response of the other tool, as the median of the filters; a tool that does not reach
it needs all its steps. A ratio of responses is at most 1000. Seconds include the building of the graph. With
--cpu they are those of the processor, which other processes disturb less than those of the clock.

This project runs its default method, fourier, with 64 steps, and, beside the book's loop, its method book:
the same ascent, compiled, on the network cut at the layer, and all filters in one batch.

The networks are a small convnet or the checkpoint given with --demo, EfficientNet-Lite0, and VGG16 (the
shared weights, else random ones). With --demo, `visualize.py views=[activations,filters]` is timed as well.
The benchmark takes about five minutes on two idle cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convscope.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from tf_keras_vis.activation_maximization import ActivationMaximization  # noqa: E402
from tf_keras_vis.activation_maximization.callbacks import Callback  # noqa: E402

from convscope.graph import Layer, flatten  # noqa: E402
from convscope.images import save_png  # noqa: E402
from convscope.models import small_convnet  # noqa: E402
from convscope.models.opening import open_checkpoint  # noqa: E402
from convscope.preprocessing import Preprocessing, by_name, resolve_preprocessing  # noqa: E402
from convscope.training.precision import BFLOAT16, known_to_hardware  # noqa: E402
from convscope.vis.ascent.maximize import Network, maximize  # noqa: E402
from convscope.vis.ascent.objectives import channel  # noqa: E402
from convscope.vis.ascent.patterns import METHODS, Settings  # noqa: E402
from convscope.vis.layer_top import layers_to_search  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CONVSCOPE_SHARED", ROOT.parent / "shared"))
LITE0 = SHARED / "weights" / "efficientnet_lite0_imagenet.keras"
VGG16 = SHARED / "weights" / "vgg16_notop_edges.weights.h5"
DEPTH = 1  # which of the four layers that the filters view draws by default
BOOK_STEPS = 30
EVERY = 10  # steps of tf-keras-vis between two measurements
MEASURES = ("mean", "highest")


@dataclass(frozen=True)
class Case:
    """A layer of a network, and the filters that are drawn: evenly spread ones."""

    name: str
    network: Network
    layer: Layer
    size: int
    filters: list[int]

    def responses(self, pictures: np.ndarray) -> np.ndarray:
        """Return the mean positive and the highest response of each filter to its picture, (n, 2)."""
        (values,) = self.network.values([self.layer.path], self.size)(tf.constant(pictures, tf.float32))
        own = [values[row, ..., index].numpy() for row, index in enumerate(self.filters)]
        return np.array([[np.maximum(maps, 0).mean(), maps.max()] for maps in own])


@dataclass(frozen=True)
class Course:
    """The course of an ascent.

    Attributes:
        seconds: seconds per filter from its start, (steps,).
        responses: see `Case.responses`, (steps, n, 2).
        pictures: the pictures at the end, (n, size, size, 3).
    """

    seconds: np.ndarray
    responses: np.ndarray
    pictures: np.ndarray

    def until(self, wanted: np.ndarray, measure: int) -> float:
        """Return the median of the seconds until each filter reaches a response.

        A filter that ends at it or below it needs all steps.
        """
        responses = self.responses[..., measure]
        steps = np.where(responses[-1] > wanted, (responses >= wanted).argmax(0), len(self.seconds) - 1)
        return float(np.median(self.seconds[steps]))


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--demo", type=Path, help="a checkpoint in place of the small convnet")
    parser.add_argument("--network", help="only this one of the three")
    parser.add_argument("--filters", type=int, default=8, metavar="N", help="filters of each layer")
    parser.add_argument("--size", type=int, default=128, help="width and height of the pictures")
    parser.add_argument("--cpu", action="store_true", help="count the seconds of the CPU, not of the clock")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    results = []
    for case in _cases(options):
        for result in _compare(case, clock):
            results.append(result)
            print(
                f"{result['case']:64} {result['ours']:9.3f} {result['unit']:8} "
                f"{result['other_name']}: {result['other']:9.3f}, ratio {result['ratio']:.2f}",
                flush=True,
            )
    if options.demo:
        results += _page(options.demo)
    if options.json:
        print(json.dumps({"benchmark": "filters", "results": results}))


# ---- networks


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    networks = {"small convnet": _small, "EfficientNet-Lite0": lite0, "VGG16": _vgg16}
    for name, build in networks.items():
        if options.network not in (None, name):
            continue
        keras.utils.set_random_seed(0)
        model, preprocessing = build(options)
        graph = flatten(model)
        layer = layers_to_search(graph.layers, [])[DEPTH]
        filters = np.linspace(0, layer.channels - 1, options.filters).round().astype(int).tolist()
        bfloat16 = BFLOAT16 in known_to_hardware()
        network = Network(graph.model, graph.layers, preprocessing, bfloat16=bfloat16)
        yield Case(f"{name} {layer.path}", network, layer, options.size, filters)


def _small(options: argparse.Namespace) -> tuple[keras.Model, Preprocessing]:
    if options.demo:
        bundle = open_checkpoint(options.demo)
        return bundle.model, bundle.contract.preprocessing
    return small_convnet.build(5, input_size=150), by_name("unit_range")


def lite0(_: argparse.Namespace) -> tuple[keras.Model, Preprocessing]:
    """Return EfficientNet-Lite0, or a random network of its kind if the weights are missing."""
    if LITE0.is_file():
        model = keras.saving.load_model(LITE0, compile=False)
    else:
        model = keras.applications.EfficientNetB0(weights=None)
    return model, resolve_preprocessing("affine", [1 / 128], [-127 / 128])


def _vgg16(_: argparse.Namespace) -> tuple[keras.Model, Preprocessing]:
    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    if VGG16.is_file():
        model.load_weights(VGG16)
    return model, by_name("caffe")


# ---- methods


def _ours(case: Case, clock: Callable[[], float], method: str = "fourier", steps: int = 64) -> Course:
    input_size = case.network.model.inputs[0].shape[1] or case.size
    build, measure = METHODS[method]
    recipe = build(Settings(method, case.size, steps), input_size, True)
    objectives = [channel(case.layer.path, index, measure) for index in case.filters]
    started = clock()
    seconds: list[float] = []
    found = maximize(
        case.network,
        objectives,
        recipe,
        seeds=case.filters,
        frame_every=4,
        on_step=lambda _: seconds.append(clock() - started),
    )
    assert found.frames is not None
    pictures = [*np.moveaxis(found.frames, 1, 0), found.pictures]
    times = [*seconds[::4], seconds[-1]][-len(pictures) :]
    responses = np.array([case.responses(each) for each in pictures])
    return Course(np.array(times) / len(case.filters), responses, pictures[-1])


def _book(case: Case, clock: Callable[[], float]) -> Course:
    """Run listings 9.18 to 9.21; the picture, 0 to 1, is scaled and encoded for the model."""
    values = case.network.values([case.layer.path], case.size)

    def compute_loss(image: Any, filter_index: int) -> Any:
        (activation,) = values(255 * image)
        return tf.reduce_mean(activation[:, 2:-2, 2:-2, filter_index])

    @tf.function
    def gradient_ascent_step(image: Any, filter_index: Any, learning_rate: float) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = compute_loss(image, filter_index)
        gradient = tf.math.l2_normalize(tape.gradient(loss, image))
        return image + learning_rate * gradient

    steps, seconds = BOOK_STEPS, np.zeros(BOOK_STEPS)
    pictures = np.zeros((steps, len(case.filters), case.size, case.size, 3), np.uint8)
    for row, index in enumerate(case.filters):
        image = tf.random.uniform((1, case.size, case.size, 3), 0.4, 0.6)
        started = clock()
        for step in range(steps):
            image = gradient_ascent_step(image, tf.constant(index), 10.0)
            seconds[step] += clock() - started
            pictures[step, row] = _deprocess(image[0].numpy())
            started = clock()  # the measurement of earlier steps does not count
    measured = np.array([case.responses(pictures[step]) for step in range(2, steps, 3)])
    return Course(np.cumsum(seconds)[2::3] / len(case.filters), measured, pictures[-1])


def _deprocess(image: np.ndarray) -> np.ndarray:
    """Return the picture of listing 9.21, without the cut of 25 pixels on each side."""
    image = image - image.mean()
    image /= max(image.std(), 1e-8)
    return np.clip(image * 64 + 128, 0, 255).astype(np.uint8)


class _Values(keras.layers.Layer):
    """The values of a layer for pixels, for tools that want a Keras model."""

    def __init__(self, values: Callable[[Any], list[Any]]) -> None:
        super().__init__()
        self._values = values

    def call(self, pixels: Any) -> Any:
        return self._values(pixels)[0]


def tf_keras_vis(case: Case, clock: Callable[[], float]) -> Course:
    """Run ActivationMaximization with its defaults, all filters in one batch."""
    inputs = keras.Input((case.size, case.size, 3))
    outputs = _Values(case.network.values([case.layer.path], case.size))(inputs)
    tool = ActivationMaximization(keras.Model(inputs, outputs), clone=False)
    rows = [[row, index] for row, index in enumerate(case.filters)]
    course = _Recorder(clock)
    seeds = np.random.default_rng(0).uniform(0, 255, (len(rows), case.size, case.size, 3))
    tool(
        lambda output: tf.gather_nd(tf.transpose(output, [0, 3, 1, 2]), rows),
        seed_input=tf.constant(seeds, tf.float32),
        callbacks=[course],
    )
    seconds = np.cumsum(course.seconds)[EVERY - 1 :: EVERY] / len(rows)
    responses = np.array([case.responses(pictures) for pictures in course.pictures])
    return Course(seconds, responses, course.pictures[-1])


class _Recorder(Callback):
    """Keeps the pictures of every `EVERY`-th step; the time that this takes does not count."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self.seconds, self.pictures = clock, list[float](), list[np.ndarray]()
        self._started = clock()

    def __call__(self, step: int, clipped: Any, *_: Any, **__: Any) -> None:
        self.seconds.append(self._clock() - self._started)
        if step % EVERY == EVERY - 1:
            self.pictures.append(np.asarray(clipped[0]).astype(np.uint8))
        self._started = self._clock()


# ---- comparison


def _compare(case: Case, clock: Callable[[], float]) -> Iterator[dict[str, Any]]:
    ours, ours_book = _ours(case, clock), _ours(case, clock, "book", BOOK_STEPS)
    book, theirs = _book(case, clock), tf_keras_vis(case, clock)
    yield from _courses(case.name, ours, book, "the book")
    yield from _courses(f"{case.name}, method=book", ours_book, book, "the book")
    yield from _courses(case.name, ours, theirs, "tf-keras-vis")


def _courses(case: str, ours: Course, other: Course, name: str) -> Iterator[dict[str, Any]]:
    yield _faster(f"{case}: all steps", ours.seconds[-1], other.seconds[-1], name)
    for number, measure in enumerate(MEASURES):
        ends = [course.responses[-1, :, number] for course in (ours, other)]
        times = [ours.until(ends[1], number), other.until(ends[0], number)]
        yield _faster(f"{case}: at the same {measure}", *times, name)
        one, two = (float(np.median(end)) for end in ends)
        yield {
            "case": f"{case}: {measure} response", "unit": "response", "ours": one, "other": two,
            "other_name": name, "ratio": one / max(two, one / 1000),
        }  # fmt: skip


def _faster(case: str, ours: float, other: float, other_name: str) -> dict[str, Any]:
    return {
        "case": case, "unit": "s/filter", "ours": float(ours), "other": float(other),
        "other_name": other_name, "ratio": float(other / ours),
    }  # fmt: skip


def _page(checkpoint: Path) -> list[dict[str, Any]]:
    """Time a run from its command to the first page with a picture, and to its end."""
    with tempfile.TemporaryDirectory() as scratch:
        pixels = np.random.default_rng(0).integers(0, 256, (150, 150, 3)).astype(np.uint8)
        save_png(Path(scratch, "noise.png"), pixels)
        page = Path(scratch, "run", "page", "index.js")
        command = [
            sys.executable, str(ROOT / "visualize.py"), f"checkpoint={checkpoint}",
            "views=[activations,filters]", f"images={scratch}/noise.png", "filters.cache=''",
            f"hydra.run.dir={page.parents[1]}",
        ]  # fmt: skip
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        first = None
        while process.poll() is None:
            if first is None and page.is_file() and ".png" in page.read_text():
                first = time.perf_counter() - started
            time.sleep(0.05)
        ended = time.perf_counter() - started
        if process.returncode or first is None:
            raise SystemExit("error: visualize.py failed, or wrote no page with a picture")
    for case, seconds in (("first page", first), ("whole run", ended)):
        print(f"demo, views=[activations,filters], {case}: {seconds:.1f} s")
    result = _faster("demo: first page with a picture", first, ended, "the end of the run")
    return [result | {"unit": "s"}]


if __name__ == "__main__":
    main()
