"""Stage 3: draw what a model learned, and write a page with all pictures.

`python visualize.py --help` explains the options. `convscope.stages` has the code.
"""

from convscope.startup import run_script

if __name__ == "__main__":
    run_script(__file__)
