"""Predict photographs without labels: their classes, and how far to trust each prediction."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convscope import decode
from convscope.app.train import run_directory
from convscope.app.train.augmented_scores import known_calibration, variant_model
from convscope.app.train.familiarity import with_features
from convscope.app.train.score import BATCH, PREDICTIONS
from convscope.app.train.training_report import calibrated_columns, number
from convscope.config.schema.train import TrainConfig
from convscope.data import image_paths
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError
from convscope.files import csv_text, user_path, write_text
from convscope.graph import of_each_class
from convscope.models.bundle import ModelBundle
from convscope.models.familiarity import read_familiarity
from convscope.models.opening import open_checkpoint
from convscope.names import printable
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.training.test_time import VariantModel


def predict_run(config: TrainConfig, directory: Path) -> None:
    """Write `predictions.csv` for `config.images`: path, predicted class, class probabilities, error.

    If the run has a calibration, the table also has the calibrated probabilities, the set of classes for
    `config.coverage`, and whether a photograph is unlike those of the training. A file that cannot be read
    has a row with the error and without a prediction.

    Raises:
        ConvscopeError: no file can be read.
    """
    assert config.predict is not None
    bundle = open_checkpoint(user_path(config.predict))
    averaged = variant_model(config, bundle.model, bundle.contract.input_size)
    predictor = _Predictor(bundle, config.coverage, averaged)
    paths = image_paths.find(config.images)
    run_directory.check_results(config, directory, PREDICTIONS)
    table = []
    failed = 0
    for start in progress(range(0, len(paths), BATCH), desc="predicting", unit="batch", leave=False):
        block = paths[start : start + BATCH]
        read = list(in_threads(_read, block))
        rows = iter(predictor.rows([pixels for pixels in read if not isinstance(pixels, str)]))
        for path, photograph in zip(block, read, strict=True):
            if isinstance(photograph, str):
                failed += 1
                table.append([printable(str(path)), *[""] * len(predictor.columns), photograph])
            else:
                table.append([printable(str(path)), *next(rows), ""])
    write_text(directory / PREDICTIONS, csv_text(["path", *predictor.columns, "error"], table))
    if failed == len(paths):
        raise ConvscopeError(
            f"none of the {failed} photographs could be read: see the column error in "
            f"{directory / PREDICTIONS}"
        )
    unread = f"; {failed} could not be read, see the column error" if failed else ""
    print(f"written: {directory / PREDICTIONS} ({len(paths)} photographs{unread})")
    if predictor.unlike:
        print(
            f"{predictor.unlike} of {len(paths)} photographs are unlike those of the training: do not trust "
            "their probabilities (column unlike)"
        )


class _Predictor:
    """Predicts photographs as rows of the table.

    Attributes:
        columns: the titles of the columns.
        unlike: the number of photographs so far that are unlike those of the training.
    """

    def __init__(self, bundle: ModelBundle, coverage: float, averaged: VariantModel) -> None:
        """Read what the run knows; runs of earlier versions have no calibration."""
        self._contract, self._coverage = bundle.contract, coverage
        self._model = with_features(bundle.model)
        self._averaged = averaged
        self._calibration = known_calibration(bundle, averaged)
        features = math.prod(self._model.output_shape[0][1:])
        self._familiarity = read_familiarity(Path(bundle.path).parent, features)
        self.columns = ["predicted", *bundle.contract.class_names]
        if self._calibration:
            self.columns += [*calibrated_columns(bundle.contract.class_names), "set"]
        else:
            names = averaged.variants.names
            used = f" for tta=[{','.join(names)}]" if names else ""
            print(f"note: {bundle.path} has no calibration{used}, so the table has no calibrated columns")
        if self._familiarity:
            self.columns += ["distance", "unlike"]
        self.unlike = 0

    def rows(self, pixels: Sequence[np.ndarray]) -> list[list[str]]:
        """Return the cells of photographs, uint8 (height, width, 3)."""
        if not pixels:
            return []
        names, preprocessing = self._contract.class_names, self._contract.preprocessing
        inputs = [encode_photographs(pixels, size, preprocessing) for size in self._averaged.sizes]
        features, output = self._model.predict_on_batch(inputs[0])
        probabilities = self._averaged.probabilities(inputs, of_each_class(output))
        rows = [[names[row.argmax()], *map(number, row)] for row in probabilities]
        if self._calibration:
            calibrated = self._calibration.apply(probabilities)
            sets = self._calibration.sets(probabilities, self._coverage)
            for row, values, among in zip(rows, calibrated, sets, strict=True):
                row += map(number, values)
                row.append("; ".join(names[index] for index in np.flatnonzero(among)))
        if self._familiarity:
            distances = self._familiarity.distances(features)
            unlike = distances > self._familiarity.threshold
            self.unlike += int(unlike.sum())
            for row, distance, is_unlike in zip(rows, distances, unlike, strict=True):
                row += [f"{distance:.4f}", "yes" if is_unlike else ""]
        return rows


def _read(path: Path) -> np.ndarray | str:
    try:
        return decode.load(path)
    except ConvscopeError as error:
        return str(error)
