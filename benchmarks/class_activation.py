"""How fast class activation is, beside tf-keras-vis 0.8.7, on one model.

Grad-CAM of one photograph and of 64, and Score-CAM with 64 channels. Both tools get preprocessed inputs and
return the map at the resolution of the layer; both are called before the clock starts. The model is
MobileNetV2 with random weights, or a file given with --model. The benchmark takes about two minutes.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from convscope.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
from tf_keras_vis.gradcam import Gradcam  # noqa: E402
from tf_keras_vis.scorecam import Scorecam  # noqa: E402
from tf_keras_vis.utils.model_modifiers import ReplaceToLinear  # noqa: E402
from tf_keras_vis.utils.scores import CategoricalScore  # noqa: E402

from convscope.graph import flatten  # noqa: E402
from convscope.vis.class_activation.methods import ClassActivation  # noqa: E402
from convscope.vis.class_activation.targets import of_class  # noqa: E402
from convscope.vis.layer_selection import last_maps  # noqa: E402

CLASS = 7
REPETITIONS = 7


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--model", type=Path, help="a classifier with an input of 224×224 pixels")
    options = parser.parse_args()
    model = keras.saving.load_model(options.model, compile=False) if options.model else _random_model()
    results = [_grad_cam(model, 1), _grad_cam(model, 64), _score_cam(model)]
    for result in results:
        print(
            f"{result['case']:32} {result['ours']:7.3f} {result['unit']}  {result['other_name']}: "
            f"{result['other']:7.3f}, ratio {result['ratio']:.1f}"
        )
    if options.json:
        print(json.dumps({"benchmark": "class_activation", "results": results}))


def _random_model() -> keras.Model:
    return keras.applications.MobileNetV2(weights=None)


def _grad_cam(model: keras.Model, count: int) -> dict[str, Any]:
    graph, inputs = flatten(model), _inputs(count)
    layer = last_maps(graph.layers)
    ours = ClassActivation(graph.model, [layer], "grad_cam", compiled=True)
    targets = of_class(CLASS, model.output_shape[-1])[None].repeat(count, axis=0)
    theirs = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)
    return _compare(
        f"Grad-CAM, {count} photograph{'s' * (count > 1)}",
        lambda: ours(inputs, targets),
        lambda: theirs(
            CategoricalScore([CLASS] * count),
            inputs,
            penultimate_layer=layer.keras_layer.name,
            seek_penultimate_conv_layer=False,
            expand_cam=False,
        ),
    )


def _score_cam(model: keras.Model) -> dict[str, Any]:
    graph, inputs = flatten(model), _inputs(1)
    layer = last_maps(graph.layers)
    ours = ClassActivation(graph.model, [layer], "score_cam", compiled=True)
    targets = of_class(CLASS, model.output_shape[-1])[None]
    theirs = Scorecam(model, model_modifier=ReplaceToLinear(), clone=True)
    return _compare(
        "Score-CAM, 64 channels",
        lambda: ours(inputs, targets),
        lambda: theirs(
            CategoricalScore(CLASS),
            inputs,
            penultimate_layer=layer.keras_layer.name,
            seek_penultimate_conv_layer=False,
            max_N=64,
            expand_cam=False,
        ),
    )


def _inputs(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 224, 224, 3)).astype(np.float32)


def _compare(case: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> dict[str, Any]:
    """Measure both in turns; the median of the repetitions."""
    seconds: dict[str, list[float]] = {"ours": [], "other": []}
    ours()
    theirs()
    for _ in range(REPETITIONS):
        for name, run in (("ours", ours), ("other", theirs)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    one, other = (statistics.median(values) for values in seconds.values())
    return {
        "case": case, "unit": "s", "ours": one, "other": other, "other_name": "tf-keras-vis",
        "ratio": other / one,
    }  # fmt: skip


if __name__ == "__main__":
    main()
