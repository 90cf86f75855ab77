"""The best runs of a sweep, which stage 3 compares."""

from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.sweep import record
from convscope.sweep.results import ranked

MOST = 4  # runs side by side; more are too small to see


def best_runs(sweep: Path, model: str) -> list[Path]:
    """Return the directories of the runs with the lowest validation loss, the lowest first, at most `MOST`.

    Args:
        sweep: the directory of the sweep.
        model: the name of the file of a model; runs without it are left out.

    Raises:
        ConvscopeError: the directory has no sweep, or fewer than two of its runs have a model.
    """
    records = record.read_all(sweep)
    if not records:
        raise ConvscopeError(
            f"{sweep} is no sweep: expected the folder that train.py -m wrote, or several models in compare"
        )
    trained = [one.directory for one in ranked(records) if (one.directory / model).is_file()]
    if len(trained) < 2:
        raise ConvscopeError(
            f"{sweep} has {len(trained)} run(s) with a model and a validation loss: expected at least two"
        )
    return trained[:MOST]
