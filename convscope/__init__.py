"""Train a convolutional network on photographs, and see what it learned.

The public API:

- `prepare(…)`, `train(…)`, `visualize(…)`: the three stages, with the settings of the commands.
- `PreparedData`, `TrainedRun`, `DrawnPage`: what they return.
- `open_model(source, **options)`: open a training run, a file of Keras, or a model in memory.
- `OpenModel`: an open model, with `predict`, `activations`, `class_activation`, `examples`, `statistics`,
  `channels`, `patterns` and `ascend`.
- `grid(maps)`: a picture of all feature maps of a layer.
- `evolution(run, photograph)`: feature maps after each epoch of a training.
- `Evolution`, `Explanation`, `LayerExamples`, `ChannelStudy`, `LayerPatterns`, `AscentResult`: the results of
  `evolution`, `OpenModel.class_activation`, `OpenModel.examples`, `OpenModel.channels`, `OpenModel.patterns`
  and `OpenModel.ascend`.
- `CAM_METHODS`: the methods of class activation, with their titles.
- `ascent`: the building blocks of `OpenModel.ascend`: objectives, parametrizations, transforms, optimizers.

`docs/api.md` has examples. `import convscope` is fast: Keras is imported when it is needed.
"""

import importlib
import sys
from typing import Any

__version__ = "0.1.0"
_WORKFLOW = ["DrawnPage", "PreparedData", "TrainedRun", "prepare", "train", "visualize"]
__all__ = [
    "CAM_METHODS",
    "AscentResult",
    "ChannelStudy",
    "DrawnPage",
    "Evolution",
    "Explanation",
    "LayerExamples",
    "LayerPatterns",
    "OpenModel",
    "PreparedData",
    "TrainedRun",
    "ascent",
    "evolution",
    "grid",
    "open_model",
    "prepare",
    "train",
    "visualize",
]


def __getattr__(name: str) -> Any:
    """Import the public API when it is used: it needs Keras, which takes seconds to import."""
    if name not in __all__:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    if name in _WORKFLOW:
        return getattr(importlib.import_module("convscope.workflow"), name)
    if "tensorflow" not in sys.modules:
        from convscope.quiet import import_tensorflow

        import_tensorflow(as_library=True)
    if name == "ascent":
        return importlib.import_module("convscope.ascent")
    from convscope import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """Return the names of the module, with those that are not imported yet."""
    return sorted({*globals(), *__all__})
