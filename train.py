"""Stage 2: train a network on a data set, and keep its best epoch.

`python train.py --help` explains the options. `convscope.stages` has the code.
"""

from convscope.startup import run_script

if __name__ == "__main__":
    run_script(__file__)
