"""Stage 1: make a data set with train, validation and test splits in data/NAME.

`python create_train_val_test.py --help` explains the options. `convscope.stages` has the code.
"""

from convscope.startup import run_script

if __name__ == "__main__":
    run_script(__file__)
