"""Stage 2: train a network on a data set and keep the best epoch in a run directory.

python train.py dataset=procedural model=small_convnet
python train.py dataset=folder dataset.name=pets model=inception_v3 training.epochs=5
python train.py finetune=two_phase model=vgg16 model.trainable=block5_conv1
python train.py evaluate=RUN dataset=folder dataset.name=other # a model that was trained before
python train.py predict=RUN images=DIR                         # photographs without labels
python train.py -m model.dropout=0.1,0.3                       # a sweep
"""

from pathlib import Path

from convscope import quiet
from convscope.config.launch import main
from convscope.config.schema.train import TrainConfig


def run(settings: TrainConfig, directory: Path) -> None:
    """Train and evaluate, or only evaluate or predict."""
    quiet.import_tensorflow()
    from convscope.app.train import train

    train.run(settings, directory)


if __name__ == "__main__":
    main(__file__, __doc__, run)
