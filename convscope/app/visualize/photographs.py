"""The photographs of a run: find them, decode them once, and encode them for each model.

A video takes part as a photograph: its frame in the middle. The view class_activation also draws the video.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope import decode, images, names
from convscope.data.image_paths import find, part_of
from convscope.data.label_table import read_table
from convscope.data.training_data import TrainingData
from convscope.decode_video import Video, is_video, open_video
from convscope.errors import ConvscopeError, unknown
from convscope.files import sha256, user_path
from convscope.models.bundle import ModelBundle

LONGEST = 640  # pixels of a photograph's longer side in the run directory and below a heatmap


@dataclass(frozen=True)
class Photograph:
    """A photograph of the run, or a video as the frame in its middle.

    Attributes:
        path: the file.
        key: the name of its folders in the run directory, unique in the run.
        sha256: the hash of the file.
        truth: its true class, from `labels`, the data set of the model or the name of its folder; None if it
            is unknown.
        size: height and width of the file in pixels.
        small: uint8 (height, width, 3), no side longer than 640 pixels.
        resized: uint8 (height, width, 3) at the input size of the models.
        video: the video, or None for a photograph.
    """

    path: Path
    key: str
    sha256: str
    truth: str | None
    size: tuple[int, int]
    small: np.ndarray
    resized: np.ndarray
    video: Video | None = None

    @property
    def provenance(self) -> dict[str, str]:
        """Path and hash of the file."""
        return {"photograph": names.printable(str(self.path)), "photograph_sha256": self.sha256}

    @property
    def name(self) -> str:
        """The name of the file; bytes that are not UTF-8 are escaped."""
        return names.printable(self.path.name)

    @property
    def description(self) -> str:
        """Width and height, and for a video the number of frames and their rate."""
        height, width = self.size
        if self.video is None:
            return f"{width}×{height}"
        frames, rate = self.video.count, float(self.video.rate)
        return f"the frame in the middle of a video, {width}×{height}, {frames} frames, {rate:.4g} per second"

    def fit(self, longest: int) -> np.ndarray:
        """Decode the file again; return the picture with no side longer than `longest` pixels."""
        return images.fit_within(_pixels(self.path, self.video), longest)


def encode(photographs: Sequence[Photograph], bundle: ModelBundle) -> np.ndarray:
    """Return photographs as the input of a model, float32 (batch, height, width, channels)."""
    return bundle.contract.preprocessing.encode(np.stack([photograph.resized for photograph in photographs]))


def find_photographs(patterns: Sequence[str], data: TrainingData) -> list[Path]:
    """Return the files that match `patterns`; without patterns, one test image of each class.

    Args:
        patterns: files, folders, globs, `@LIST.txt`; if empty, the images come from `data`. Files may be
            videos.
        data: the model's data set.

    Raises:
        ConvscopeError: there is no photograph.
    """
    if patterns:
        paths = find(patterns, videos=True)
    else:
        first = {record.label: record for record in reversed(data.images) if record.split == "test"}
        paths = [data.root / first[label].path for label in sorted(first)]
    if not paths:
        raise ConvscopeError(
            "no photographs: images=[] selects test images of the data set of the training, "
            f"{f'but {data.root} has none' if data.manifest else data.why_missing}; set images=FILES"
        )
    return paths


def open_photographs(
    paths: Sequence[Path],
    bundle: ModelBundle,
    data: TrainingData,
    labels: str | None = None,
    *,
    part: tuple[int, int] = (0, 1),
) -> list[Photograph]:
    """Return the photographs.

    All photographs are decoded here, so that unreadable ones are reported before drawing begins.

    Args:
        paths: the files that `find_photographs` returns.
        bundle: the model; the photographs are resized to its input size.
        data: the model's data set; it gives the true classes.
        labels: a CSV file with the true classes; see `_listed_truths`.
        part: (k, n) opens every n-th photograph, beginning with number k.

    Raises:
        ConvscopeError: a photograph cannot be read, or `labels` does not fit.
    """
    root, records = data.root, data.images
    truths: dict[Path | str, str] = {(root / record.path).resolve(): record.label for record in records}
    classes = set(bundle.contract.class_names)
    truths |= {record.sha256: record.label for record in records if record.sha256}
    listed = _listed_truths(labels, paths, bundle) if labels else {}
    keys = names.unique(names.file_name(path.stem).replace(".", "_") for path in paths)
    photographs: list[Photograph] = []
    errors: list[decode.DecodeError] = []
    for path, key in part_of(list(zip(paths, keys, strict=True)), *part):
        try:
            video = open_video(path) if is_video(path) else None
            pixels = _pixels(path, video)
        except decode.DecodeError as error:
            errors.append(error)
            continue
        digest, folder = sha256(path), path.absolute().parent.name
        known = truths.get(digest, truths.get(path.resolve(), folder if folder in classes else None))
        photographs.append(
            Photograph(
                path=path,
                key=key,
                sha256=digest,
                truth=listed.get(path.resolve(), known),
                size=(pixels.shape[0], pixels.shape[1]),
                small=images.fit_within(pixels, LONGEST),
                resized=images.resize(pixels, *bundle.contract.input_size),
                video=video,
            )
        )
    if errors:
        if len(paths) == 1:
            raise ConvscopeError(f"{errors[0]}: set images to another file")
        raise ConvscopeError(
            f"{errors[0]}; {len(errors)} of {len(paths)} photographs cannot be read: remove damaged files "
            "from images"
        )
    return photographs


def _listed_truths(labels: str, paths: Sequence[Path], bundle: ModelBundle) -> dict[Path, str]:
    """Return the true class of each file in a table, whose paths are relative to the folder of the table.

    Raises:
        ConvscopeError: a class is not one of the model, or the table lists none of the photographs.
    """
    table = user_path(labels)
    truths = {}
    for row in read_table("labels", table):
        if row.label not in bundle.contract.class_names:
            raise ConvscopeError(
                f"labels={labels} line {row.line}: {unknown('class', row.label, bundle.contract.class_names)}"
            )
        truths[(table.parent / row.path).resolve()] = row.label
    if not any(path.resolve() in truths for path in paths):
        raise ConvscopeError(
            f"labels={labels} lists {len(truths):,} files, but none of the photographs, such as {paths[0]}: "
            f"expected paths relative to {table.parent}"
        )
    return truths


def _pixels(path: Path, video: Video | None) -> np.ndarray:
    """Return a photograph, or the frame in the middle of a video."""
    return decode.load(path) if video is None else video.middle()
