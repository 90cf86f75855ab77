"""The models, photographs and data of one run. Each part is opened when a view first needs it."""

from functools import cached_property
from pathlib import Path
from typing import Any

from convscope.app.visualize.models import open_models
from convscope.app.visualize.output import RunOutput
from convscope.app.visualize.page_layers import PageLayers
from convscope.app.visualize.photographs import Photograph, encode, find_photographs, open_photographs
from convscope.app.visualize.training_results import training_results
from convscope.config.schema.visualize import VisualizeConfig
from convscope.data.manifest import SPLITS
from convscope.data.pipeline import LabelledImages
from convscope.data.training_data import TrainingData, reference_images, training_data
from convscope.errors import ConvscopeError
from convscope.graph import of_each_class
from convscope.models.bundle import ModelBundle
from convscope.models.checkpoint_files import MODEL_FILE
from convscope.models.sequence import Models
from convscope.models.states import open_snapshots
from convscope.vis.model_difference import MapCorrelation


class Run:
    """Models, photographs, reference images and output of one run of stage 3.

    Attributes:
        config: the settings of the run; a view has its own settings.
        output: the output of the run.
        models: one model, or several to compare.
        correlations: correlations of the maps in two models, by layer path and the indices of the models.
            `activations` computes them and `comparison` shows them.
        notes: sentences on what was left out; the page shows them.
    """

    def __init__(self, config: VisualizeConfig, output: RunOutput) -> None:
        """Open the models; raise ConvscopeError if one cannot be opened."""
        self.config, self.output = config, output
        self.models = open_models(config)
        self.correlations: dict[tuple[str, int, int], MapCorrelation] = {}
        self.notes: list[str] = []
        self._probabilities: dict[tuple[str, str], dict[str, float]] = {}

    @cached_property
    def photograph_paths(self) -> list[Path]:
        """The files of the photographs of all shards."""
        return find_photographs(self.config.images, self.training_data)

    @cached_property
    def photographs(self) -> list[Photograph]:
        """The photographs of `images`, or one test image of each class; in a shard, a part of them."""
        config, data = self.config, self.training_data
        part = (config.shard, config.shards)
        return open_photographs(self.photograph_paths, self.models.last, data, config.labels, part=part)

    @property
    def opened_photographs(self) -> list[Photograph]:
        """The photographs, or an empty list if no view has needed them."""
        return self.photographs if "photographs" in vars(self) else []

    @cached_property
    def training_data(self) -> TrainingData:
        """The data set that the last model was trained on."""
        return training_data(self.models.last.contract.dataset)

    @cached_property
    def page_layers(self) -> PageLayers:
        """The layers of the first model as the page names them."""
        return PageLayers(self.models.first)

    @cached_property
    def training_results(self) -> list[dict[str, Any]]:
        """The results of the training of each model, as far as they are known."""
        return [training_results(str(state.bundle.path)) for state in self.models[:]]

    @property
    def has_reference_images(self) -> bool:
        """Whether there is a data set, or `splits` names other images; a mistyped split still fails."""
        return self.training_data.manifest is not None or not set(self.config.splits) <= set(SPLITS)

    @cached_property
    def reference_images(self) -> LabelledImages:
        """The images of `splits`."""
        classes = self.models.last.contract.class_names
        return reference_images(self.config.splits, self.training_data, classes)

    @cached_property
    def snapshots(self) -> Models:
        """The snapshots of the model; the titles are the epochs."""
        path = Path(self.models.first.path)
        if path.name != MODEL_FILE:
            raise ConvscopeError(
                f"{path} does not belong to a training run with snapshots: train with "
                "callbacks=[snapshots], and set checkpoint to that run"
            )
        return Models(open_snapshots(path.parent, allow_code=self.config.allow_code))

    def note(self, text: str) -> None:
        """Print what is left out, and show it on the page."""
        print(f"note: {text}")
        self.notes.append(text)

    def known_probabilities(self, photograph: Photograph, bundle: ModelBundle) -> dict[str, float]:
        """Return the probabilities by class if they are already computed, else an empty dictionary."""
        return self._probabilities.get((photograph.key, bundle.sha256), {})

    def probabilities(self, photograph: Photograph, bundle: ModelBundle) -> dict[str, float]:
        """Return the probability of each class in one model. The weights of the model must be loaded."""
        if (photograph.key, bundle.sha256) not in self._probabilities:
            self.add_output(photograph, bundle, bundle.model(encode([photograph], bundle), training=False))
        return self.known_probabilities(photograph, bundle)

    def add_output(self, photograph: Photograph, bundle: ModelBundle, output: Any) -> None:
        """Add the output of a model for a photograph, (1, classes), so that no other view computes it."""
        (scores,) = of_each_class(output)
        classes = bundle.contract.class_names
        self._probabilities[photograph.key, bundle.sha256] = dict(
            zip(classes, map(float, scores), strict=True)
        )
