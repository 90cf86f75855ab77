"""The directories of the runs of a sweep, named after what was swept."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from convscope import names

_UNSAFE = re.compile(r"[^\w.+=,-]+")  # also unsafe: what a shell would interpret


def run_names(swept: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a directory name for each run, for example `dropout=0.1,learning_rate=0.001`.

    The name of a setting is the last part of its key, or its whole key if another swept key has the same
    last part. A name is safe on every file system, has at most 120 bytes (a longer one is cut and gets a
    hash), and is unique.

    Args:
        swept: for each run, the swept values by key.
    """
    keys = dict.fromkeys(key for values in swept for key in values)
    last = Counter(key.rpartition(".")[2] for key in keys)

    def short(key: str) -> str:
        end = key.rpartition(".")[2]
        return end if last[end] == 1 else key

    given = [
        ",".join(f"{short(key)}={_short_value(value)}" for key, value in values.items()) for values in swept
    ]
    return names.unique(names.file_name(name or "run") for name in given)


def _short_value(text: str) -> str:
    """Return a value without quotes and brackets; a number in its shortest form with up to ten digits."""
    if text in ("True", "False"):  # as Hydra writes true and false
        return text.lower()
    try:
        return text if re.fullmatch(r"[+-]?\d+", text) else f"{float(text):.10g}"
    except ValueError:
        plain = re.sub(r"""["'\[\]{}]""", "", text).replace(",", "-")
        return _UNSAFE.sub("_", plain.replace("/", "."))
