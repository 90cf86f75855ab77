"""The schema of stage 1: data sets, and how they are split."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING

from convscope.config.schema.fields import check_range, option
from convscope.errors import ConvscopeError


class SplitOf(StrEnum):
    """What the fraction for the test split is a fraction of."""

    remainder = "remainder"
    total = "total"


@dataclass
class DatasetConfig:
    """A data set: what every kind of source has."""

    name: str = option(MISSING, "the data set's folder under dataset.root")
    root: str = option("data", "where data sets are kept")

    def __post_init__(self) -> None:
        """Refuse names that lead out of the root."""
        if self.name != MISSING and (self.name in ("", ".", "..") or set(self.name) & set("/\\")):
            raise ConvscopeError(
                f"dataset.name={self.name!r} is no folder name: expected one without / or \\"
            )


@dataclass
class ProceduralConfig(DatasetConfig):
    """Pictures of five flowers, drawn by code."""

    images_per_class: int = option(300, "pictures of each of the five flowers")
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
class FolderConfig(DatasetConfig):
    """Any folder of class folders."""

    source: str | None = option(None, "stage 1: the folder that holds a folder for each class")


@dataclass
class SplitConfig:
    """How images are divided."""

    validation: float = option(0.15, "fraction of each class for validation")
    test: float = option(0.2, "fraction of each class for test, of what `of` says")
    of: SplitOf = option(SplitOf.remainder, "test is a fraction of the remainder or of the total")
    seed: int = option(0, "decides which image goes where")

    def __post_init__(self) -> None:
        """Check that something is left to train on."""
        check_range("split.validation", self.validation, 0, 1, below=True)
        check_range("split.test", self.test, 0, 1, below=True)
        check_range("split.seed", self.seed, 0)
        if self.of is SplitOf.total and self.validation + self.test >= 1:
            raise ConvscopeError(
                f"split.validation={self.validation} and split.test={self.test} leave nothing to "
                "train on: expected a sum below 1"
            )


@dataclass
class PrepareConfig:
    """Stage 1."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    overwrite: bool = option(False, "replace a data set of the same name and other settings")
    debug: bool = option(False, "show a traceback with an error")
