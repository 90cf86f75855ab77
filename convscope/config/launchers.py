"""The launchers of a sweep: what they need, and how many of their runs share a machine."""

import math
import os
import re
import secrets
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from convscope import invocation, parallel
from convscope.errors import ConvscopeError, one_line

PACKAGES = {
    "joblib": "hydra_joblib_launcher",
    "ray": "hydra_ray_launcher",
    "ray_cluster": "hydra_ray_launcher",
    "slurm": "hydra_submitit_launcher",
}


def prepare(arguments: Sequence[str]) -> None:
    """Check that the chosen launcher can be used, and let Ray not write into the home folder.

    Raises:
        ConvscopeError: its package is not installed, or the command is no sweep.
    """
    chosen = [argument.partition("=")[2] for argument in arguments if argument.startswith("launcher=")]
    if not chosen or chosen[-1] not in PACKAGES:
        return
    name, package = chosen[-1], PACKAGES[chosen[-1]]
    if not {"-m", "--multirun"} & set(arguments) and not {"-h", "--help", "--help-all"} & set(arguments):
        raise ConvscopeError(f"launcher={name} launches the runs of a sweep: add -m, or remove it")
    if find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{package}") is None:
        install = f"python -m pip install {package.replace('_', '-')}"
        ways = f"'make launchers', or '{install}'" if invocation.is_script() else f"'{install}'"
        raise ConvscopeError(f"launcher={name} needs the package {package.replace('_', '-')}: run {ways}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if name == "ray" and "RAY_AUTH_MODE" not in os.environ:
        # Ray listens on all interfaces. A token that Ray makes would be written into the home folder.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def explain_failure(error: Exception) -> str | None:
    """Return the message for an error of a launcher, None for another error."""
    launcher = type(error).__module__.partition(".")[0]
    if launcher not in ("joblib", "ray", "submitit"):
        return None
    causes = re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception): .*", str(error), re.MULTILINE)  # of a traceback
    cause = causes[-1] if causes else f"{type(error).__name__}: {one_line(error)}"
    if invocation.get().stage == "train":
        remedy = "the same command with sweep.resume=true continues"
    else:
        remedy = (
            "the same command repeats the jobs; with shards, add hydra.sweep.dir=DIR to keep complete ones"
        )
    return f"the launcher failed ({cause[:300]}): {remedy}; debug=true shows a traceback"


def runs_at_once(launcher: Any, jobs: int | None = None) -> int:
    """Return how many runs of a sweep share this machine at the same time.

    Args:
        launcher: `hydra.launcher` of the configuration. SLURM restricts each job to its own cores.
        jobs: the number of jobs: the processes of a search, or the runs of a grid; None if it is unknown.
    """
    target = str(launcher.get("_target_", ""))
    if target.endswith("JoblibLauncher"):
        limits = [parallel.all_cores() if launcher.n_jobs < 0 else launcher.n_jobs]
    elif target.endswith("RayLauncher"):
        limits = _limits_of_ray(launcher.ray.get("init") or {}, launcher.ray.remote)
    else:
        return 1
    return max(1, int(min([*limits, jobs or math.inf])))


def _limits_of_ray(machine: Any, run: Any) -> list[float]:
    """Return how many runs fit on the cores and on the GPUs, if their number is given.

    A number of cores that is larger than that of the machine counts as that of the machine.
    """
    cores = min(parallel.all_cores(), machine.get("num_cpus") or math.inf)
    limits = [cores / (run.get("num_cpus") or 1)]
    if run.get("num_gpus") and machine.get("num_gpus"):
        limits.append(machine.get("num_gpus") / run.num_gpus)
    return limits
