"""Train a convolutional network on photographs, and see what it learned.

The public API:

- `open_model(source, **options)`: open a training run, a file of Keras, or a model in memory.
- `OpenModel`: an open model, with `predict`, `activations`, `class_activation`, `examples` and `statistics`.
- `grid(maps)`: a picture of all feature maps of a layer.
- `evolution(run, photograph)`: feature maps after each epoch of a training.
- `Evolution`, `Explanation`, `LayerExamples`: the results of `evolution`, `OpenModel.class_activation` and
  `OpenModel.examples`.
- `CAM_METHODS`: the methods of class activation, with their titles.

`docs/api.md` has examples. `import convscope` is fast: Keras is imported when one of these names is used.
"""

import sys
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "CAM_METHODS",
    "Evolution",
    "Explanation",
    "LayerExamples",
    "OpenModel",
    "evolution",
    "grid",
    "open_model",
]


def __getattr__(name: str) -> Any:
    """Import the public API when it is used: it needs Keras, which takes seconds to import."""
    if name not in __all__:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    if "tensorflow" not in sys.modules:
        from convscope.quiet import import_tensorflow

        import_tensorflow(as_library=True)
    from convscope import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """Return the names of the module, with those that are not imported yet."""
    return sorted({*globals(), *__all__})
