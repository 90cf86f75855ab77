"""The schema of stage 1: data sets, and how they are split."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.options import check_range, option


class SplitOf(StrEnum):
    """What the fraction for the test split is a fraction of."""

    remainder = "remainder"
    total = "total"


class Link(StrEnum):
    """How an image that can be used as it is gets into the data set."""

    auto = "auto"
    copy = "copy"
    hardlink = "hardlink"
    symlink = "symlink"


@dataclass
class DatasetConfig:
    """A data set: what every kind of source has."""

    name: str | None = option(None, "its folder under dataset.root; null is the source's own name")
    root: str = option("data", "where data sets are kept")
    classes: list[str] = option([], "stage 1: these only, in this order; [] is all, sorted")
    fold: int | None = option(None, "stage 2: which of split.folds to validate on, from 0")

    def __post_init__(self) -> None:
        """Refuse names that lead out of the root, and classes that are named twice."""
        if self.name is not None and (self.name in ("", ".", "..") or set(self.name) & set("/\\\0")):
            raise ConvscopeError(
                f"dataset.name={self.name!r} is no folder name: expected one without / or \\"
            )
        if self.name is not None and self.name.startswith("."):
            raise ConvscopeError(f"dataset.name={self.name!r} would be hidden: expected one without a dot")
        twice = [name for name in self.classes if self.classes.count(name) > 1]
        if twice:
            raise ConvscopeError(f"dataset.classes names {twice[0]!r} twice: expected each class once")

    def _name_after(self, key: str, source: str | None, last: str) -> None:
        """Take the source's name if none is given; raises ConvscopeError if there is no source either."""
        self.name = self.name or (last if source else None)
        if self.name is None:
            raise ConvscopeError(f"dataset.name is not given: add dataset.name=NAME, or {key} in stage 1")
        DatasetConfig.__post_init__(self)


@dataclass
class ProceduralConfig(DatasetConfig):
    """Pictures of five flowers, drawn by code."""

    images_per_class: int = option(300, "pictures of each of the flowers")
    image_size: int = option(128, "width and height in pixels")
    difficulty: float = option(0.42, "0 to 1: how small, aslant, cluttered and noisy")
    seed: int = option(0, "the same seed draws the same bytes")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("dataset.images_per_class", self.images_per_class, 3, 100_000)
        check_range("dataset.image_size", self.image_size, 32, 2048)
        check_range("dataset.difficulty", self.difficulty, 0, 1)
        check_range("dataset.seed", self.seed, 0)


@dataclass
class PhotographsConfig(DatasetConfig):
    """Photographs from elsewhere: how their class is told."""

    class_pattern: str | None = option(
        None, "a regular expression; its first group in a path is the class; null: the folder"
    )
    labels: str | None = option(None, "a CSV file with the columns path and class, instead")

    def __post_init__(self) -> None:
        """Refuse two ways of telling the class at once."""
        super().__post_init__()
        if self.class_pattern is not None and self.labels is not None:
            raise ConvscopeError(
                "dataset.class_pattern and dataset.labels are both given: expected one of them"
            )


@dataclass
class FolderConfig(PhotographsConfig):
    """Any folder of photographs."""

    source: str | None = option(None, "stage 1: the folder; below it, a folder of images for each class")

    def __post_init__(self) -> None:
        """Name the data set after the folder."""
        super().__post_init__()
        self._name_after(
            "dataset.source=DIR", self.source, Path(self.source or "").expanduser().resolve().name
        )


@dataclass
class KaggleConfig(PhotographsConfig):
    """A data set or competition of Kaggle's."""

    kaggle: str | None = option(None, "stage 1: OWNER/NAME of a data set, NAME of a competition")
    max_gigabytes: float = option(100.0, "refuse what unpacks to more")

    def __post_init__(self) -> None:
        """Name the data set after Kaggle's."""
        super().__post_init__()
        check_range("dataset.max_gigabytes", self.max_gigabytes, 0)
        self._name_after("dataset.kaggle=OWNER/NAME", self.kaggle, (self.kaggle or "").rsplit("/")[-1])


@dataclass
class InspectConfig:
    """What is left out, and what counts as the same picture."""

    min_size: int = option(16, "the least width and height in pixels")
    near: int = option(
        6, "of 64 bits of their pHash, how many may tell near duplicates apart; -1 is bytes only"
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("inspect.min_size", self.min_size, 1)
        check_range("inspect.near", self.near, -1, 16)


@dataclass
class SplitConfig:
    """How images are divided."""

    link: Link = option(Link.auto, "auto is a hard link where the file system has them, else a copy")


@dataclass
class FractionsConfig(SplitConfig):
    """Stratified by class, groups of duplicates kept together."""

    validation: float = option(0.15, "fraction of each class for validation")
    test: float = option(0.2, "fraction of each class for test, of what `of` says")
    of: SplitOf = option(SplitOf.remainder, "test is a fraction of the remainder or of the total")
    seed: int = option(0, "decides which image goes where")
    folds: int = option(0, "also write K folds of all but test, for train.py dataset.fold=0 to K-1")

    def __post_init__(self) -> None:
        """Check that something is left to train on."""
        check_range("split.validation", self.validation, 0, 1, below=True)
        check_range("split.test", self.test, 0, 1, below=True)
        check_range("split.seed", self.seed, 0)
        check_range("split.folds", self.folds, 0, 100)
        if self.folds == 1:
            raise ConvscopeError("split.folds=1 leaves nothing to train on: expected 0, or 2 and more")
        if self.of is SplitOf.total and self.validation + self.test >= 1:
            raise ConvscopeError(
                f"split.validation={self.validation} and split.test={self.test} leave nothing to "
                "train on: expected a sum below 1"
            )


@dataclass
class PredefinedConfig(FractionsConfig):
    """As the source has it: folders train, validation and test; one that it lacks is taken from train."""

    def __post_init__(self) -> None:
        """Refuse folds."""
        super().__post_init__()
        if self.folds:
            raise ConvscopeError(f"split.folds={self.folds} needs split=fractions: expected 0 here")


@dataclass
class ExtendConfig(SplitConfig):
    """Add the source's new images to a data set that is there; those in it stay where they are."""


@dataclass
class PrepareConfig:
    """Stage 1."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    inspect: InspectConfig = field(default_factory=InspectConfig)
    overwrite: bool = option(False, "replace a data set of the same name and other settings")
    debug: bool = option(False, "show a traceback with an error")
