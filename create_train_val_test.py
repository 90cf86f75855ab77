"""Stage 1: make a data set with train, validation and test splits under data/NAME.

python create_train_val_test.py                                # the embedded one, drawn by code
python create_train_val_test.py dataset=folder dataset.source=~/photos/pets   # data/pets
python create_train_val_test.py dataset=flowers                # from Kaggle
python create_train_val_test.py dataset=folder dataset.source=~/more/pets split=extend
"""

from pathlib import Path

from convscope import config


def run(settings: config.PrepareConfig, _: Path) -> None:
    """Make the data set."""
    from convscope.app.prepare import prepare

    prepare(settings)


if __name__ == "__main__":
    config.main(__file__, __doc__, run)
