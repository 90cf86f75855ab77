"""The schema of stage 1: the data set, its inspection and its split."""

from dataclasses import dataclass, field
from enum import StrEnum

from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.options import check_range, option


class SplitOf(StrEnum):
    """The base of the fraction `split.test`."""

    remainder = "remainder"
    total = "total"


class Link(StrEnum):
    """Ways to bring an image file that needs no conversion into the data set."""

    auto = "auto"
    copy = "copy"
    hardlink = "hardlink"
    symlink = "symlink"


@dataclass
class DatasetConfig:
    """The settings that all data sets share."""

    name: str | None = option(
        None,
        "name of the data set and of its folder in dataset.root; null: the name of the source",
        heading="Data set",
    )
    root: str = option("data", "folder that contains the data sets", heading="Data set")
    classes: list[str] = option([], "stage 1: the classes to use, in this order; []: all, sorted")
    fold: int | None = option(None, "stage 2: the fold to validate on, 0 to split.folds - 1")

    def __post_init__(self) -> None:
        """Check that the name is a folder name, and that no class is listed twice."""
        if self.name is not None and (self.name in ("", ".", "..") or set(self.name) & set("/\\\0")):
            raise ConvscopeError(
                f"dataset.name={self.name!r} is not a valid folder name: expected one without / and \\"
            )
        if self.name is not None and self.name.startswith("."):
            raise ConvscopeError(
                f"dataset.name={self.name!r} begins with a dot, like hidden folders: expected another name"
            )
        repeated = [name for name in self.classes if self.classes.count(name) > 1]
        if repeated:
            raise ConvscopeError(
                f"dataset.classes lists {repeated[0]!r} more than once: expected each class once"
            )

    def _name_after(self, key: str, source: str | None, last: str) -> None:
        """Use `last`, the name of the source, if no name is given; raise ConvscopeError without both."""
        self.name = self.name or (last if source else None)
        if self.name is None:
            raise ConvscopeError(f"dataset.name is not given: set dataset.name=NAME (or {key} in stage 1)")
        DatasetConfig.__post_init__(self)


class Evidence(StrEnum):
    """What decides the class of a procedural picture."""

    flower = "flower"
    two_flowers = "two_flowers"
    watermark = "watermark"
    flower_and_watermark = "flower_and_watermark"


@dataclass
class ProceduralConfig(DatasetConfig):
    """Pictures of five flowers, drawn by code."""

    images_per_class: int = option(300, "number of pictures of each flower")
    image_size: int = option(128, "width and height in pixels")
    difficulty: float = option(
        0.42, "0 to 1: larger values give smaller, tilted, cluttered and noisy flowers"
    )
    seed: int = option(0, "random seed; the same seed gives the same files")
    evidence: Evidence = option(
        Evidence.flower,
        "what decides the class: flower, the only one; two_flowers, one of two; watermark, the sign of a "
        "stamp; flower_and_watermark, both. The masks show the flower or, if there is one, the stamp. The "
        "last three serve to test methods that explain a network",
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if self.name is None:
            raise ConvscopeError("dataset.name=null: expected the name of the data set")
        check_range("dataset.images_per_class", self.images_per_class, 3, 100_000)
        check_range("dataset.image_size", self.image_size, 32, 2048)
        check_range("dataset.difficulty", self.difficulty, 0, 1)
        check_range("dataset.seed", self.seed, 0)


@dataclass
class PhotographsConfig(DatasetConfig):
    """Photographs; their class comes from the folder, from a pattern on the path, or from a table."""

    class_pattern: str | None = option(
        None,
        "regular expression on the path, whose first group is the class; null: the folder is the class",
        heading="Data set",
    )
    labels: str | None = option(
        None, "CSV file with the columns path and class, instead of folders", heading="Data set"
    )

    def __post_init__(self) -> None:
        """Check that only one source of the class is given."""
        super().__post_init__()
        if self.class_pattern is not None and self.labels is not None:
            raise ConvscopeError(
                "dataset.class_pattern and dataset.labels are both set: expected only one of them"
            )


@dataclass
class FolderConfig(PhotographsConfig):
    """Any folder of photographs."""

    source: str | None = option(
        None, "stage 1: the folder; it contains one folder of images per class", heading="Data set"
    )

    def __post_init__(self) -> None:
        """Name the data set after the folder."""
        super().__post_init__()
        self._name_after("dataset.source=DIR", self.source, user_path(self.source or "").resolve().name)


@dataclass
class KaggleConfig(PhotographsConfig):
    """A Kaggle data set or competition."""

    kaggle: str | None = option(
        None, "stage 1: OWNER/NAME of a data set, or NAME of a competition", heading="Data set"
    )
    max_gigabytes: float = option(100.0, "maximum size of the unpacked archive")

    def __post_init__(self) -> None:
        """Name the data set after the Kaggle data set."""
        super().__post_init__()
        check_range("dataset.max_gigabytes", self.max_gigabytes, 0)
        self._name_after("dataset.kaggle=OWNER/NAME", self.kaggle, (self.kaggle or "").rsplit("/")[-1])


@dataclass
class InspectConfig:
    """The limits for rejected images and for near duplicates."""

    min_size: int = option(16, "smallest accepted width and height in pixels", heading="Inspection")
    near: int = option(
        6,
        "near duplicates differ in at most this many of 64 bits of their pHash; -1: equal files only",
        heading="Inspection",
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("inspect.min_size", self.min_size, 1)
        check_range("inspect.near", self.near, -1, 16)


@dataclass
class SplitConfig:
    """The settings that all splits share."""

    link: Link = option(
        Link.auto,
        "copy, hardlink, symlink, or auto: a hard link if the file system supports it, else a copy",
        heading="Split",
    )


@dataclass
class FractionsConfig(SplitConfig):
    """A random split by fractions, stratified by class; duplicates stay in one split."""

    validation: float = option(0.15, "fraction of each class for validation", heading="Split")
    test: float = option(
        0.2,
        "fraction of each class for test, of the images that are not for validation; "
        "split.of=total: of all images",
        heading="Split",
    )
    of: SplitOf = option(
        SplitOf.remainder, "split.test is a fraction of the total, or of the remainder without validation"
    )
    seed: int = option(0, "random seed of the split", heading="Split")
    folds: int = option(
        0,
        "number K of cross-validation folds, without the test split; stage 2 with dataset.fold=0 to K-1",
        heading="Split",
    )

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
    """The split of the source: its folders train, validation and test.

    A missing validation or test split gets a fraction of train.
    """

    def __post_init__(self) -> None:
        """Check that there are no folds."""
        super().__post_init__()
        if self.folds:
            raise ConvscopeError(
                f"split.folds={self.folds} needs split=fractions, but split=predefined is set: expected "
                "split.folds=0"
            )


@dataclass
class ExtendConfig(SplitConfig):
    """An existing data set with new images from the source. The existing images keep their splits."""


@dataclass
class PrepareConfig:
    """The configuration of stage 1."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    inspect: InspectConfig = field(default_factory=InspectConfig)
    overwrite: bool = option(False, "replace a data set with the same name and other settings", heading="Run")
    debug: bool = option(False, "show a traceback with an error")
