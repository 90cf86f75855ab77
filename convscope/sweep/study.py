"""The study of a search: its storage and its sampler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from convscope.errors import ConvscopeError, one_line

DATABASE, JOURNAL = "study.db", "journal"
_PACKAGE = "optuna.samplers."
# Others end in errors (BruteForce, Grid), need more packages (GP), or unpickle what a storage holds (CmaEs).
SAMPLERS = ("TPESampler", "RandomSampler", "QMCSampler")
_SECONDS_TO_WAIT = 60  # for a database that another process writes to
RETRY_OF = "retry_of"  # user attribute: the number of the trial whose settings this one repeats
LOCK = ".ask.lock"  # of a process that opens the study or takes a trial from it


@dataclass(frozen=True)
class Plan:
    """What all processes of a search know.

    Attributes:
        folder: the folder of the sweep, absolute.
        name: the name of the study.
        storage: an address that Optuna knows, a journal file (*.log or *.journal), `journal` for
            study.journal in `folder`, or None for study.db in `folder`.
        space: the distributions by parameter.
        trials: how many trials are to be complete or pruned.
        sampler: the class of Optuna as `_target_`, and its arguments.
        max_failure_rate: the share of failed trials, 0..1, above which the search stops.
        fixed: the arguments of all trials that change a run.
        first: the number of the first trial of this command; earlier failures do not count.
    """

    folder: Path
    name: str
    storage: str | None
    space: Mapping[str, BaseDistribution]
    trials: int
    sampler: Mapping[str, Any]
    max_failure_rate: float
    fixed: Sequence[str] = ()
    first: int = 0


def open_study(plan: Plan) -> optuna.Study:
    """Return the study; create it if it does not exist.

    Raises:
        ConvscopeError: the storage cannot be opened, or the study has other directions.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # each run prints its own line
    sampler = SeededSampler(plan.sampler)
    plan.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(plan.folder / LOCK):  # two processes cannot create the tables of a database at once
            study = optuna.create_study(
                storage=_open_storage(storage_address(plan)),
                sampler=sampler,
                study_name=plan.name,
                direction="minimize",
                load_if_exists=True,
            )
    except ConvscopeError:
        raise
    except Exception as error:  # of SQLAlchemy, of a driver, of the file system
        raise ConvscopeError(
            f"cannot open the study in {storage_address(plan)}: {one_line(error)[:200]}; expected "
            "hydra.sweeper.storage=sqlite:///FILE.db, FILE.journal, or another address that Optuna takes"
        ) from error
    if study.directions != [optuna.study.StudyDirection.MINIMIZE]:
        raise ConvscopeError(
            f"the study {plan.name} in {storage_address(plan)} does not minimize one value: choose another "
            "hydra.sweeper.study_name"
        )
    return study


def storage_address(plan: Plan) -> str:
    """Return the storage as `optuna-dashboard` takes it."""
    if plan.storage is None:
        return f"sqlite:///{_relative(plan.folder / DATABASE)}"
    if plan.storage == JOURNAL:
        return str(_relative(plan.folder / "study.journal"))
    return plan.storage


def remove_locks(folder: Path) -> None:
    """Remove the lock file that `open_study` leaves in the folder of a sweep."""
    (folder / LOCK).unlink(missing_ok=True)


def _relative(path: Path) -> Path:
    """Return a path relative to the current folder, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _open_storage(address: str) -> str | BaseStorage:
    if "://" not in address:
        if Path(address).suffix not in (".log", ".journal"):
            raise ConvscopeError(
                f"hydra.sweeper.storage={address} is neither an address nor a journal file: expected "
                "sqlite:///FILE.db, FILE.journal or FILE.log"
            )
        return JournalStorage(JournalFileBackend(address, JournalFileOpenLock(address)))
    if address.startswith("sqlite:"):
        return RDBStorage(address, engine_kwargs={"connect_args": {"timeout": _SECONDS_TO_WAIT}})
    return address


def draws_before(study: optuna.Study, number: int) -> int:
    """Return how many trials before this one got settings of their own.

    It is the number that the trial would have without retries, and without trials that were killed before
    they got settings.
    """
    trials = study.get_trials(False)
    while (earlier := trials[number].user_attrs.get(RETRY_OF)) is not None:
        number = earlier
    settings = [trial.params or trial.system_attrs.get("fixed_params") for trial in trials[:number]]
    return sum(
        bool(given) and RETRY_OF not in trial.user_attrs
        for trial, given in zip(trials, settings, strict=False)
    )


class SeededSampler(BaseSampler):
    """A sampler of Optuna, made anew for each trial with the seed `seed` + `draws_before`.

    So with TPE or random search in one process, a search that is interrupted and resumed proposes what it
    would have proposed without the interruption, and two processes never draw the same random numbers.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        self.sampler = self._make(0)  # finds wrong settings at the start

    def _make(self, draws: int) -> BaseSampler:
        given = dict(self.settings)
        target = str(given.pop("_target_", _PACKAGE + SAMPLERS[0]))
        name = target.removeprefix(_PACKAGE)
        if name not in SAMPLERS:  # a configuration must not be able to name other code
            raise ConvscopeError(
                f"no sampler {target!r}: expected one of {', '.join(_PACKAGE + one for one in SAMPLERS)}"
            )
        if given.get("seed") is not None:
            given["seed"] += draws
        try:
            return getattr(optuna.samplers, name)(**given)
        except (TypeError, ValueError, ImportError) as error:
            raise ConvscopeError(f"hydra.sweeper.sampler={name}: {one_line(error)}") from None

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        self.sampler = self._make(draws_before(study, trial.number))
        self.sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are sampled together."""
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values of the parameters that are sampled together."""
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the value of one parameter."""
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Pass the result on."""
        self.sampler.after_trial(study, trial, state, values)
