"""Stage 2: train a network on a data set, and keep its best epoch.

python train.py                                      # the data set of stage 1
python train.py dataset=folder dataset.name=pets training.epochs=15
python train.py model=vgg16 finetune=two_phase model.trainable=block5_conv1
"""

from typing import TYPE_CHECKING

from convscope.startup import main

if TYPE_CHECKING:
    from pathlib import Path

    from convscope.config.schema.train import TrainConfig


def run(settings: "TrainConfig", directory: "Path") -> None:
    """Train and evaluate a model, or evaluate or predict with a trained one."""
    from convscope import quiet
    from convscope.app.train.inputs import check_inputs

    check_inputs(settings)
    quiet.import_tensorflow()
    from convscope.app.train import train

    train.run(settings, directory)


if __name__ == "__main__":
    main(__file__, __doc__, run)
