"""Stage 2: train a network on a data set and save its best epoch in a run directory.

python train.py dataset=procedural model=small_convnet         # the data set of stage 1 without arguments
python train.py dataset=folder dataset.name=pets model=inception_v3 training.epochs=5
python train.py finetune=two_phase model=vgg16 model.trainable=block5_conv1
python train.py evaluate=RUN dataset=folder dataset.name=other # evaluate a trained model
python train.py predict=RUN images=DIR                         # predict photographs without labels
python train.py -m model.dropout=0.1,0.3                       # a sweep over two values
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
