"""Stage 1: make a data set with train, validation and test splits in data/NAME.

python create_train_val_test.py                      # pictures drawn by code
python create_train_val_test.py dataset=folder dataset.source=~/photos/pets
python create_train_val_test.py dataset=flowers      # download from Kaggle
"""

from typing import TYPE_CHECKING

from convscope.startup import main

if TYPE_CHECKING:
    from pathlib import Path

    from convscope.config.schema.prepare import PrepareConfig


def run(settings: "PrepareConfig", _: "Path") -> None:
    """Make the data set."""
    from convscope.app.prepare.prepare import prepare

    prepare(settings)


if __name__ == "__main__":
    main(__file__, __doc__, run)
