"""Stage 2: train a network on a data set and keep the best epoch in a run directory.

python train.py dataset=procedural model=small_convnet
python train.py dataset=folder dataset.name=pets model=inception_v3 training.epochs=5
python train.py -m model.dropout=0.1,0.3                       # a sweep
"""

from pathlib import Path

from convscope import config, quiet


def run(settings: config.TrainConfig, directory: Path) -> None:
    """Train and evaluate."""
    quiet.import_tensorflow()
    from convscope.app.train import train

    train(settings, directory)


if __name__ == "__main__":
    config.main(__file__, __doc__, run)
