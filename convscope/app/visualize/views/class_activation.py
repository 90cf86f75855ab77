"""The class activation view: the positions of a photograph that raise the score of a class."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from convscope import names
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views.class_activation_mistakes import draw_mistakes
from convscope.app.visualize.views.class_activation_pictures import FILE_OPTIONS, MethodPictures
from convscope.app.visualize.views.class_activation_video import draw_videos
from convscope.app.visualize.views.explaining import chosen_methods, layers_to_explain
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.errors import MAX_LISTED, ConvscopeError
from convscope.models.states import ModelState
from convscope.render.artifact import Artifact
from convscope.vis.class_activation.targets import Target, resolve

_KEY = "class_activation.layer"


class ClassActivationView(View[ClassActivationConfig]):
    """Draws class activation of one model or of several, by one method or by several."""

    def __init__(self, run: Run, settings: ClassActivationConfig) -> None:
        """Check layers, classes and methods; raise ConvscopeError if a model does not have them."""
        super().__init__(run, _with_names_of_methods(settings))
        _check_classes(run.models[:], settings.classes)
        first = run.models.first
        self.layers = layers_to_explain(first.layers, settings.layer)
        of_models = run.models.counterparts(self.layers, _KEY)
        names_of_methods = chosen_methods(settings, first.model, self.layers)
        self.methods = [MethodPictures(self, name, of_models) for name in names_of_methods]
        self.photographs = run.photographs
        classes = run.models.last.contract.class_names  # some may differ only in case
        self._mistakes: Counter[str] = Counter()
        self._class_files = dict(zip(classes, names.unique(map(names.file_name, classes)), strict=True))

    def draw(self) -> Iterator[Artifact]:
        """Yield the pictures of each photograph, method by method."""
        without_target = []
        for photograph in self.photographs:
            scores = [self.run.probabilities(photograph, state.bundle) for state in self.run.models]
            targets = resolve(self.settings.classes, scores[-1], photograph.truth)
            if not targets and photograph.video is None:
                without_target.append(photograph.name)
            for method in self.methods:
                yield from method.draw(photograph, targets, scores)
        if without_target:
            self.run.note(_without_target(without_target))
        for method in self.methods:
            yield from draw_videos(self, method.name, self.layers)
        yield from draw_mistakes(self, self.methods[0])

    def placeholders(self, photograph: Photograph, target: Target, method: str) -> dict[str, str]:
        """Return the values of the placeholders of a file name."""
        return {"photograph": photograph.key, "class": self._file_part(target), "method": method}

    def reserve_mistake(self, true: str, predicted: str) -> str:
        """Reserve the file name of the next mistake in a cell of the confusion matrix, and return it."""
        cell = f"{self._class_files[true]}_predicted_{self._class_files[predicted]}"
        self._mistakes[cell] += 1
        path = f"class_activation/mistakes/{cell}_{self._mistakes[cell]}.jpg"
        return self.reserve(path, f"the mistakes of {true}")

    def _file_part(self, target: Target) -> str:
        """Return the class for a file name."""
        one = self._class_files[target.name]
        return one if target.other is None else f"{one}_minus_{self._class_files[target.other]}"


def _with_names_of_methods(settings: ClassActivationConfig) -> ClassActivationConfig:
    """Return the settings with `_{method}` in each pattern of a file name if there are several methods."""
    if len(settings.method) < 2:
        return settings
    patterns = {name: getattr(settings, name) for name in FILE_OPTIONS}
    changed: dict[str, Any] = {
        name: re.sub(r"(?=\.[^.]*$)", "_{method}", pattern)
        for name, pattern in patterns.items()
        if "{method}" not in pattern
    }
    return replace(settings, **changed)


def _without_target(photographs: Sequence[str]) -> str:
    """Return the note about photographs for which `class_activation.classes` selects no class."""
    listed = ", ".join(photographs[:MAX_LISTED]) + (", …" if len(photographs) > MAX_LISTED else "")
    return (
        f"class_activation.classes selects nothing for {len(photographs)} photograph(s), because "
        f"the true class is not known (labels=FILE.csv gives it) or is the predicted one: {listed}"
    )


def _check_classes(states: Sequence[ModelState], choices: Sequence[str]) -> None:
    """Raise ConvscopeError unless the classes to explain are classes of every model."""
    last = states[-1].bundle.contract.class_names
    for state in states:
        classes = state.bundle.contract.class_names
        try:
            resolve(choices, dict.fromkeys(classes, 0.0), None)
        except ConvscopeError as error:
            raise ConvscopeError(f"{state.title}: {error}" if len(states) > 1 else str(error)) from None
    for state in states:
        own = set(state.bundle.contract.class_names)
        if own != set(last) and not set(choices) <= own & set(last):
            raise ConvscopeError(
                f"{state.title} and {states[-1].title} have different classes: set "
                "class_activation.classes to classes of both, or remove class_activation from views"
            )
