"""Sweeps over all combinations of values: plan the runs, and launch those that have not ended."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from convscope.config import sweep_directory
from convscope.errors import ConvscopeError
from convscope.sweep import record
from convscope.sweep.record import Record
from convscope.sweep.run_names import run_names


def run(sweeper: BasicSweeper, arguments: Sequence[str]) -> Any:
    """Run a sweep with the launcher of `sweeper`, and return what the launcher returns."""
    assert sweeper.config is not None
    assert sweeper.launcher is not None
    assert sweeper.hydra_context is not None
    given = sweep_directory.without_controls([*sweeper._parse_config(), *arguments])
    parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
    overrides = parser.parse_overrides(given)
    swept = {one.get_key_element(): one.is_sweep_override() for one in overrides}  # the last one counts
    (runs,) = BasicSweeper.split_arguments(overrides, None)
    sweeper.validate_batch_is_legal(runs)
    sweep = sweep_directory.choose(sweeper.config, given)
    keys = sorted((key for key, is_swept in swept.items() if is_swept), key="seed".__eq__)  # seed is last
    records = _plan(sweep.path, [sweep_directory.of_runs(overrides) for overrides in runs], keys)
    with sweep_directory.running(sweep, records, runs=len(records)):
        if sweep.settings.retry_failed:
            records = [record.retried(one) for one in records]
        jobs = [
            sweep.job_overrides(one.directory, runs[one.number])
            for one in records
            if one.state not in record.ENDED
        ]
        size = sweeper.max_batch_size or len(jobs)
        returned = [
            sweeper.launcher.launch(jobs[start : start + size], initial_job_idx=start)
            for start in range(0, len(jobs), size or 1)
        ]
        values = [job.return_value for job in itertools.chain.from_iterable(returned)]
        errors = [value for value in values if isinstance(value, str)]  # of other processes, not recorded
        if errors:
            raise ConvscopeError(f"{len(errors)} of {len(jobs)} jobs failed, the first with: {errors[0]}")
    return returned


def _plan(path: Path, runs: Sequence[Sequence[str]], keys: Sequence[str]) -> list[Record]:
    """Return a record for each run: the one on disk, or a new one, which is not written yet.

    Raises:
        ConvscopeError: a run on disk has other settings, or other keys are swept.
    """
    swept = []
    for overrides in runs:
        values = dict(override.split("=", 1) for override in overrides)
        swept.append({key.lstrip("+"): values[key] for key in keys})
    sweep_directory.check_comparable(path, runs[0], list(swept[0]))
    records = []
    for number, (name, overrides) in enumerate(zip(run_names(swept), runs, strict=True)):
        planned = Record(path / name, number, list(overrides), swept[number])
        if record.is_planned(planned.directory):
            earlier = record.read(planned.directory)
            if sorted(sweep_directory.of_runs(earlier.overrides)) != sorted(overrides):
                raise sweep_directory.other_settings(earlier, " ".join(overrides))
            planned = replace(earlier, number=number)
        records.append(planned)
    return records
