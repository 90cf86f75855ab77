"""The import of Keras in a script, without the optional packages of Keras."""

import subprocess
import sys
from pathlib import Path

PROBE = """
import sys
from convscope import quiet
quiet.import_tensorflow()
print(sorted({"sklearn", "matplotlib"} & set(sys.modules)))
import keras, matplotlib.pyplot, sklearn.metrics
print(keras.ops.convert_to_numpy(keras.ops.ones(2)).sum())
"""
KERAS_THAT_NEEDS_MATPLOTLIB = """
import matplotlib
class utils:
    disable_interactive_logging = staticmethod(lambda: None)
"""
TENSORFLOW = """
class get_logger:
    setLevel = staticmethod(print)
constant = float
"""


def test_a_script_imports_keras_without_matplotlib_and_sklearn() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]", "2.0", ""]


def test_a_keras_that_needs_matplotlib_is_imported_with_it(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(KERAS_THAT_NEEDS_MATPLOTLIB)
    (tmp_path / "tensorflow.py").write_text(TENSORFLOW)
    probe = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from convscope import quiet\n"
        "quiet.import_tensorflow(); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "ERROR\nTrue\n"
