"""The files of a source: a folder, a download from Kaggle, or pictures drawn by code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convscope.config.schema.prepare import (
    FolderConfig,
    KaggleConfig,
    PhotographsConfig,
    PredefinedConfig,
    PrepareConfig,
    ProceduralConfig,
)
from convscope.data import folder, kaggle
from convscope.data.inspect import Candidate, Rejected
from convscope.data.manifest import Manifest
from convscope.errors import ConvscopeError
from convscope.files import sha256, user_path
from convscope.parallel import in_threads

DOWNLOADS = ".downloads"


@dataclass
class Source:
    """The files of a source.

    `candidates` are the files with a class, `rejected` those without. `about` is the manifest's description
    of the source: `url` or `folder`, `version`, `licence`. `folder` is the folder of the files, None if they
    were drawn.
    """

    candidates: list[Candidate]
    about: dict[str, Any]
    rejected: list[Rejected] = field(default_factory=list)
    folder: Path | None = None


def acquire(config: PrepareConfig, scratch: Path) -> Source:
    """Return the files of the configured source; procedural images are drawn into `scratch`.

    Raises:
        ConvscopeError: the source is not given, does not exist or has no classes.
    """
    dataset = config.dataset
    if isinstance(dataset, ProceduralConfig):
        return _draw(dataset, scratch)
    predefined = isinstance(config.split, PredefinedConfig)
    if isinstance(dataset, KaggleConfig):
        return _download(dataset, predefined=predefined)
    assert isinstance(dataset, FolderConfig)
    return _list_folder(dataset, predefined=predefined)


def _draw(dataset: ProceduralConfig, scratch: Path) -> Source:
    from convscope.data import (
        procedural_files,  # imported here, because the import of SciPy's filters is slow
    )

    candidates = procedural_files.generate(
        scratch,
        classes=dataset.classes,
        images_per_class=dataset.images_per_class,
        image_size=dataset.image_size,
        difficulty=dataset.difficulty,
        seed=dataset.seed,
        evidence=dataset.evidence.value,
    )
    return Source(candidates, {"url": None, "version": "drawn by convscope", "licence": "MIT"})


def _list_folder(dataset: FolderConfig, *, predefined: bool) -> Source:
    if dataset.source is None:
        raise ConvscopeError(
            "dataset.source is not given: set dataset.source=DIR, a folder that contains one folder of "
            "images per class"
        )
    root = user_path(dataset.source)
    about = {"folder": str(root.resolve()), "version": None, "licence": None}
    labels = user_path(dataset.labels) if dataset.labels else None
    return _find(dataset, root, about, labels, predefined=predefined)


def _download(dataset: KaggleConfig, *, predefined: bool) -> Source:
    if dataset.kaggle is None:
        raise ConvscopeError(
            "dataset.kaggle is not given: set dataset.kaggle=OWNER/NAME for a Kaggle data set, or "
            "dataset.kaggle=NAME for a competition"
        )
    downloads = user_path(dataset.root) / DOWNLOADS
    download = kaggle.fetch(dataset.kaggle, downloads, largest=int(dataset.max_gigabytes * 1e9))
    labels = user_path(dataset.labels) if dataset.labels else None
    if labels and not labels.is_absolute() and (download.folder / labels).is_file():
        labels = download.folder / labels
    return _find(dataset, download.folder, download.about, labels, predefined=predefined)


def _find(
    dataset: PhotographsConfig, root: Path, about: dict[str, Any], labels: Path | None, *, predefined: bool
) -> Source:
    candidates, rejected = folder.find_candidates(
        root,
        class_pattern=dataset.class_pattern,
        labels=labels,
        classes=dataset.classes,
        predefined=predefined,
        origin=about.get("url"),
        skipped=user_path(dataset.root),
    )
    return Source(candidates, about, rejected, root)


def not_contained_in(manifest: Manifest, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that are not yet in a data set, by the hash of their bytes."""
    known = {image.original or image.sha256 for image in manifest.images}
    digests = in_threads(_digest, candidates)
    return [candidate for candidate, digest in zip(candidates, digests, strict=True) if digest not in known]


def _digest(candidate: Candidate) -> str:
    return sha256(candidate.path) if candidate.path.is_file() else ""
