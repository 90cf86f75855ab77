"""The schema of stage 3."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any

from convscope.config.schema.view_config import ViewConfig
from convscope.config.schema.views import VIEWS
from convscope.errors import ConvscopeError, unknown
from convscope.files import user_path
from convscope.models.application_names import check_application
from convscope.models.checkpoint_files import MODEL_FILE
from convscope.models.reading import Reading
from convscope.options import check_range, option
from convscope.sweep.best_runs import best_runs

RANDOM, APPLICATION = "random", "application"  # entries of compare=[…] that are not files
PAGE_ONLY = "page"  # the entry of views=[…] that draws nothing


@dataclass
class SourceConfig:
    """The model to open."""

    checkpoint: str | None = option(
        None, "a run directory, or a .keras, .h5 or .hdf5 file; null selects the last run", heading="Model"
    )
    application: str | None = option(
        None, "instead of checkpoint: a classifier of keras.applications, for example VGG16", heading="Model"
    )
    weights: str | None = option("imagenet", "weights of the application: imagenet, null (random), or a file")


@dataclass
class CheckpointConfig(Reading, SourceConfig):
    """The model to open, and the description of a model that stage 2 did not write."""

    def __post_init__(self) -> None:
        """Check that the options are known and belong together."""
        super().__post_init__()
        if self.application is not None:
            check_application(self.application)
        if self.checkpoint and self.application:
            raise ConvscopeError("checkpoint and application are both set: expected one of them")


@dataclass
class VisualizeConfig(CheckpointConfig):
    """Settings of stage 3. `visualize_schema` adds a group of options for each view."""

    images: list[str] = option(
        [],
        "photographs or videos, folders, globs, @LIST.txt; [] selects one test image of each class; views "
        "draw the frame in the middle of a video, and class_activation also draws the whole video",
        heading="Page",
    )
    labels: str | None = option(
        None,
        "CSV file with the columns path and class: the true classes of photographs; null: those of the "
        "model's data set, or the name of the folder",
    )
    splits: list[str] = option(
        ["train"],
        "reference images for the views filters, classes, examples, channels and faithfulness, for "
        "activations.normalize=dataset and for activations.statistics=split: train, validation or test of "
        "the model's data set, or files, folders, globs, @LIST.txt",
    )
    views: list[str] = option(
        ["activations", "filters", "class_activation", "layers"],
        "what to draw; also classes (pictures with a high score for each class, made by gradient ascent), "
        "gallery (the surest and the least sure predictions), faithfulness (measurements of class "
        "activation), examples, channels (numbers and examples of each channel), and evolution for a run "
        "with callbacks=[snapshots]; page alone builds the page of the finished run in hydra.run.dir again",
        heading="Page",
    )
    serve: str | None = option(
        None, "instead of drawing: open the page of this run directory on a port of this machine"
    )
    compare: list[str] = option(
        [],
        "several models side by side: runs, files, snapshots of a run, application (the model of the option "
        "application), random (the first of the other models with untrained weights); or the folder of a "
        "sweep, for its best runs",
        heading="Model",
    )
    seed: int = option(0, "seed of the initial noise of gradient ascent, and of random weights")
    overwrite: bool = option(False, "replace the page in an existing run directory", heading="Page")
    shards: int = option(
        1, "divide the photographs among this number of runs: -m shard=0,1,2,3 shards=4 draws one page"
    )
    shard: int = option(0, "the number of this run among shards, counted from 0")
    debug: bool = option(False, "show a traceback with an error")

    def __post_init__(self) -> None:
        """Check the ranges, and that every view exists and can draw the models."""
        super().__post_init__()
        check_range("seed", self.seed, 0, 2**32 - 1)
        if self.views == [PAGE_ONLY]:
            return
        if PAGE_ONLY in self.views:
            raise ConvscopeError(
                f"views=[{','.join(self.views)}]: every run writes its page; remove {PAGE_ONLY}, or set "
                f"views=[{PAGE_ONLY}] alone to build the page of a finished run again"
            )
        choices = [name for name, view in VIEWS.items() if view.min_models == 1]
        for name in self.views:
            if name not in choices:
                raise unknown("view", name, [*choices, PAGE_ONLY])
        if not self.views:
            raise ConvscopeError(f"views=[]: expected at least one of {', '.join(choices)}")
        if not self.splits:
            raise ConvscopeError("splits=[]: expected train, validation, test, or folders")
        check_range("shards", self.shards, 1)
        if not 0 <= self.shard < self.shards:
            raise ConvscopeError(
                f"shard={self.shard}, shards={self.shards}: expected a shard from 0 to {self.shards - 1}"
            )
        if self.shards > 1:
            self._check_shards()
        if self.compare:
            self.compare = _with_runs_of_sweep(self.compare)
            self._check_models()
            self._check_options()

    def drawn_views(self) -> list[ViewConfig]:
        """Return the settings of each view to draw, in the order in which they are drawn."""
        models = len(self.compare) or 1
        return [
            self.settings_of(name)
            for name, view in VIEWS.items()
            if (name in self.views or view.min_models > 1)
            and view.min_models <= models
            and (view.by_photograph or self.shard == 0)
        ]

    def settings_of(self, name: str) -> Any:
        """Return the settings of a view; the defaults if the view has no options."""
        return getattr(self, name, None) or VIEWS[name]()

    def _check_shards(self) -> None:
        """Refuse what depends on all photographs together, and shards without anything to draw."""
        if self.compare:
            raise ConvscopeError(
                "compare averages over all photographs, which no shard has: remove shards or compare"
            )
        for name in self.views:
            if VIEWS[name].needs_all_photographs:
                raise ConvscopeError(
                    f"views={name} chooses what to draw from all photographs, which no shard has: remove it "
                    "from views, or remove shards"
                )
        if self.settings_of("filters").accentuate:
            raise ConvscopeError("filters.accentuate=true needs all photographs: remove it, or shards")
        if not any(VIEWS[name].by_photograph for name in self.views):
            raise ConvscopeError(
                f"views=[{','.join(self.views)}] does not draw photographs one by one, so there is nothing "
                "to divide: remove shards"
            )

    def _check_models(self) -> None:
        """Check that `compare` names two models or more, and agrees with `checkpoint` and `application`."""
        given = f"compare=[{','.join(self.compare)}]"
        trained = [entry for entry in self.compare if entry != RANDOM]
        if len(self.compare) < 2 or not trained:
            raise ConvscopeError(
                f"{given}: expected at least two models, one of them not random, for example "
                f"compare=[random,{self.checkpoint or 'RUN'}], or the folder of a sweep"
            )
        if (self.application is None) == (APPLICATION in trained):
            raise ConvscopeError(
                f"{given}, application={self.application or 'null'}: set application=NAME and list the word "
                "application in compare, or do neither"
            )
        if self.checkpoint and Path(self.checkpoint) not in map(Path, trained):
            raise ConvscopeError(
                f"checkpoint={self.checkpoint} is not in {given}: add it to the list, or remove checkpoint"
            )

    def _check_options(self) -> None:
        """Refuse views and options that apply to one model only."""
        for view in self.drawn_views():
            if view.max_models is not None and len(self.compare) > view.max_models:
                several = [name for name, other in VIEWS.items() if other.max_models is None]
                raise ConvscopeError(
                    f"views={view.name} draws one model and compare lists {len(self.compare)}: expected "
                    f"views among {', '.join(several)}"
                )
        for key, value in self._not_for_several():
            raise ConvscopeError(f"{key}={value} applies to one model only: remove it, or remove compare")

    def _not_for_several(self) -> Iterator[tuple[str, Any]]:
        for name in VIEWS:
            yield from self.settings_of(name).not_for_several()
        if self.splits != VisualizeConfig().splits:
            yield "splits", self.splits


def _with_runs_of_sweep(compare: list[str]) -> list[str]:
    """Return the best runs of a sweep if its folder is the only entry, else the entries."""
    folder = user_path(compare[0])
    if len(compare) > 1 or not folder.is_dir() or (folder / MODEL_FILE).is_file():
        return compare
    return [str(run) for run in best_runs(folder, MODEL_FILE)]


def visualize_schema() -> type[VisualizeConfig]:
    """Return the schema of stage 3: `VisualizeConfig` with a group of options for each view that has some."""
    groups = [(name, view, field(default_factory=view)) for name, view in VIEWS.items() if fields(view)]
    return make_dataclass("VisualizeConfig", groups, bases=(VisualizeConfig,))
