"""The schema of stage 1: the data set, its inspection and its split."""

from dataclasses import dataclass, field
from enum import StrEnum

from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.options import check_range, option


class SplitOf(StrEnum):
    """The whole of which `split.test` is a fraction."""

    remainder = "remainder"
    total = "total"


class Link(StrEnum):
    """How the data set refers to an image file that needs no conversion."""

    auto = "auto"
    copy = "copy"
    hardlink = "hardlink"
    symlink = "symlink"


@dataclass
class DatasetConfig:
    """The settings that every data set has."""

    name: str | None = option(None, "name of its folder below dataset.root; null: the name of the source")
    root: str = option("data", "folder that contains the data sets")
    classes: list[str] = option([], "stage 1: the classes to use, in this order; []: all, sorted")
    fold: int | None = option(None, "stage 2: the fold to validate on, 0 to split.folds - 1")

    def __post_init__(self) -> None:
        """Refuse names that are not folder names, and classes that are listed twice."""
        if self.name is not None and (self.name in ("", ".", "..") or set(self.name) & set("/\\\0")):
            raise ConvscopeError(
                f"dataset.name={self.name!r} is not a valid folder name: expected one without / and \\"
            )
        if self.name is not None and self.name.startswith("."):
            raise ConvscopeError(
                f"dataset.name={self.name!r} is a hidden folder: expected a name without a leading dot"
            )
        repeated = [name for name in self.classes if self.classes.count(name) > 1]
        if repeated:
            raise ConvscopeError(f"dataset.classes lists {repeated[0]!r} twice: expected each class once")

    def _name_after(self, key: str, source: str | None, last: str) -> None:
        """Use `last`, the name of the source, if no name is given; raise ConvscopeError without a source."""
        self.name = self.name or (last if source else None)
        if self.name is None:
            raise ConvscopeError(f"dataset.name is not given: add dataset.name=NAME (or {key} in stage 1)")
        DatasetConfig.__post_init__(self)


@dataclass
class ProceduralConfig(DatasetConfig):
    """Pictures of five flowers, drawn by code."""

    images_per_class: int = option(300, "number of pictures of each flower")
    image_size: int = option(128, "width and height in pixels")
    difficulty: float = option(
        0.42, "0 to 1: larger values give smaller, tilted, cluttered and noisy flowers"
    )
    seed: int = option(0, "random seed; the same seed gives the same files")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("dataset.images_per_class", self.images_per_class, 3, 100_000)
        check_range("dataset.image_size", self.image_size, 32, 2048)
        check_range("dataset.difficulty", self.difficulty, 0, 1)
        check_range("dataset.seed", self.seed, 0)


@dataclass
class PhotographsConfig(DatasetConfig):
    """Photographs and the source of their class: folder, pattern or table."""

    class_pattern: str | None = option(
        None, "regular expression on the path; its first group is the class; null: the folder is the class"
    )
    labels: str | None = option(None, "CSV file with the columns path and class")

    def __post_init__(self) -> None:
        """Refuse two sources of the class."""
        super().__post_init__()
        if self.class_pattern is not None and self.labels is not None:
            raise ConvscopeError(
                "dataset.class_pattern and dataset.labels are both given: expected one of them"
            )


@dataclass
class FolderConfig(PhotographsConfig):
    """Any folder of photographs."""

    source: str | None = option(None, "stage 1: the folder; it contains one folder of images per class")

    def __post_init__(self) -> None:
        """Name the data set after the folder."""
        super().__post_init__()
        self._name_after("dataset.source=DIR", self.source, user_path(self.source or "").resolve().name)


@dataclass
class KaggleConfig(PhotographsConfig):
    """A Kaggle data set or competition."""

    kaggle: str | None = option(None, "stage 1: OWNER/NAME of a data set, or NAME of a competition")
    max_gigabytes: float = option(100.0, "largest size of the unpacked archive")

    def __post_init__(self) -> None:
        """Name the data set after the Kaggle data set."""
        super().__post_init__()
        check_range("dataset.max_gigabytes", self.max_gigabytes, 0)
        self._name_after("dataset.kaggle=OWNER/NAME", self.kaggle, (self.kaggle or "").rsplit("/")[-1])


@dataclass
class InspectConfig:
    """The limits for rejected images and for near duplicates."""

    min_size: int = option(16, "smallest accepted width and height in pixels")
    near: int = option(
        6, "near duplicates differ in at most this many of 64 bits of their pHash; -1: equal files only"
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("inspect.min_size", self.min_size, 1)
        check_range("inspect.near", self.near, -1, 16)


@dataclass
class SplitConfig:
    """The settings that every split has."""

    link: Link = option(Link.auto, "auto: a hard link if the file system supports it, else a copy")


@dataclass
class FractionsConfig(SplitConfig):
    """A random split by fractions, stratified by class; duplicates stay in one split."""

    validation: float = option(0.15, "fraction of each class for validation")
    test: float = option(0.2, "fraction of each class for test, see split.of")
    of: SplitOf = option(
        SplitOf.remainder, "split.test is a fraction of the total, or of the remainder after validation"
    )
    seed: int = option(0, "random seed of the split")
    folds: int = option(0, "also write K cross-validation folds without test; train.py dataset.fold=0 to K-1")

    def __post_init__(self) -> None:
        """Check the ranges; some images must remain for training."""
        check_range("split.validation", self.validation, 0, 1, below=True)
        check_range("split.test", self.test, 0, 1, below=True)
        check_range("split.seed", self.seed, 0)
        check_range("split.folds", self.folds, 0, 100)
        if self.folds == 1:
            raise ConvscopeError("split.folds=1 leaves no images for training: expected 0, or at least 2")
        if self.of is SplitOf.total and self.validation + self.test >= 1:
            raise ConvscopeError(
                f"split.validation={self.validation} and split.test={self.test} leave no images "
                "for training: expected a sum below 1"
            )


@dataclass
class PredefinedConfig(FractionsConfig):
    """The split of the source: its folders train, validation, test. A missing one is taken from train."""

    def __post_init__(self) -> None:
        """Refuse folds."""
        super().__post_init__()
        if self.folds:
            raise ConvscopeError(
                f"split.folds={self.folds} needs split=fractions: expected 0 with split=predefined"
            )


@dataclass
class ExtendConfig(SplitConfig):
    """New images of the source are added to an existing data set, whose images keep their splits."""


@dataclass
class PrepareConfig:
    """The configuration of stage 1."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    inspect: InspectConfig = field(default_factory=InspectConfig)
    overwrite: bool = option(False, "replace a data set that has the same name and other settings")
    debug: bool = option(False, "print a traceback with every error")
