"""The three stages: what the help says about each one, and the function that runs it.

The scripts, the program `convscope` and the functions of Python use them. This module imports little, because
the help must be fast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from convscope.config.schema.prepare import PrepareConfig
    from convscope.config.schema.train import TrainConfig
    from convscope.config.schema.visualize import VisualizeConfig


def prepare(settings: "PrepareConfig", _: "Path", *, as_library: bool = False) -> "Path":
    """Make the data set, and return its folder."""
    from convscope.app.prepare.prepare import prepare

    return prepare(settings)


def train(settings: "TrainConfig", directory: "Path", *, as_library: bool = False) -> "Path":
    """Train and evaluate a model, or evaluate or predict with a trained one; return the run directory."""
    from convscope import quiet
    from convscope.app.train.inputs import check_inputs

    check_inputs(settings)
    quiet.import_tensorflow(as_library=as_library)
    from convscope.app.train import train

    return train.run(settings, directory)


def visualize(settings: "VisualizeConfig", directory: "Path", *, as_library: bool = False) -> "Path":
    """Draw the views and the page, and return the path of the page.

    With `serve` or `views=[page]`, use the files of a finished run.
    """
    if settings.serve is not None:
        from convscope.app.visualize.serve import serve

        return serve(settings.serve)
    if settings.views == ["page"]:
        from convscope.app.visualize.rebuild import rebuild

        return rebuild(directory)
    from convscope import quiet
    from convscope.app.visualize.inputs import check_inputs

    check_inputs(settings)
    quiet.import_tensorflow(as_library=as_library)
    from convscope.app.visualize.visualize import visualize

    return visualize(settings, directory)


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        summary: one line.
        examples: arguments, each with a comment or "".
        run: called with the settings and the run directory.
    """

    summary: str
    examples: tuple[tuple[str, str], ...]
    run: Callable[..., Any]

    def about(self, program: str) -> str:
        """Return the first lines of the help; `program` starts the stage."""
        commands = [f"{program} {arguments}".rstrip() for arguments, _ in self.examples]
        comments = [comment for _, comment in self.examples]
        pairs = list(zip(commands, comments, strict=True))
        width = max(len(command) for command, comment in pairs if comment)
        lines = [f"{command:<{width}}  # {comment}" if comment else command for command, comment in pairs]
        return "\n".join([self.summary, "", *lines])


STAGES = {
    "create_train_val_test": Stage(
        "Stage 1: make a data set with train, validation and test splits in data/NAME.",
        (
            ("", "pictures drawn by code"),
            ("dataset=folder dataset.source=~/photos/pets", ""),
            ("dataset=flowers", "download from Kaggle"),
        ),
        prepare,
    ),
    "train": Stage(
        "Stage 2: train a network on a data set, and keep its best epoch.",
        (
            ("", "the data set of stage 1"),
            ("dataset=folder dataset.name=pets training.epochs=15", ""),
            ("model=vgg16 finetune=two_phase model.trainable=block5_conv1", ""),
        ),
        train,
    ),
    "visualize": Stage(
        "Stage 3: draw what a model learned, and write a page with all pictures.",
        (
            ("", "the last training run"),
            ("checkpoint=outputs/train/latest images=rex.jpg", ""),
            ("application=VGG16 'views=[filters]'", "a network of Keras"),
        ),
        visualize,
    ),
}
