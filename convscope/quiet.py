"""Import TensorFlow without the lines that it prints to standard error."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

# Keras imports them, if they are installed, for keras.wrappers and keras.visualization.
_OPTIONAL = ("sklearn", "matplotlib")


def import_tensorflow(*, as_library: bool = False) -> None:
    """Import TensorFlow and Keras, which takes seconds; show their output only if the import fails.

    TensorFlow writes to standard error before it reads its log level, so the file descriptor is redirected.

    Args:
        as_library: keep the progress bars of `fit` and `predict`, and the parts of Keras that only the user's
            own code may need. A script of convscope needs neither: it omits scikit-learn and Matplotlib, a
            quarter of the time.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            if not as_library:
                _import_keras_alone()
            import keras
            import tensorflow as tf

            if not as_library:
                keras.utils.disable_interactive_logging()
            tf.get_logger().setLevel("ERROR")
            _limit_threads()
            tf.constant(0.0) + 1  # the first operation starts the runtime, which also prints
        except BaseException:
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _limit_threads() -> None:
    """Use one thread per core of this run; an error says that TensorFlow has started already."""
    import tensorflow as tf

    from convscope import parallel

    if parallel.runs_at_once() > 1:
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(parallel.cores())
            tf.config.threading.set_inter_op_parallelism_threads(parallel.cores())


def _import_keras_alone() -> None:
    """Import Keras without its optional packages; if this version needs them, import nothing."""
    with _hidden(_OPTIONAL), suppress(Exception):
        import keras  # noqa: F401


@contextmanager
def _hidden(packages: Iterable[str]) -> Iterator[None]:
    """Make packages that are not imported yet look as if they were not installed."""
    names = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # Python's way to block an import
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
