"""Import TensorFlow without the lines that it prints to standard error."""

import os
import sys
import tempfile


def import_tensorflow(*, progress_bars: bool = False) -> None:
    """Import TensorFlow and Keras, which takes seconds; show their output only if the import fails.

    TensorFlow writes to standard error before it reads its log level, so the file descriptor is redirected.

    Args:
        progress_bars: whether `fit` and `predict` of Keras show progress bars.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            import keras
            import tensorflow as tf

            if not progress_bars:
                keras.utils.disable_interactive_logging()
            tf.get_logger().setLevel("ERROR")
            tf.constant(0.0) + 1  # the first operation starts the runtime, which also prints
        except BaseException:
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
