"""Stage 3: draw what a model learned, and write a page with all pictures.

python visualize.py                                      # the last training run
python visualize.py checkpoint=outputs/train/latest images=rex.jpg
python visualize.py application=VGG16 'views=[filters]'  # a network of Keras
"""

from typing import TYPE_CHECKING

from convscope.startup import main

if TYPE_CHECKING:
    from pathlib import Path

    from convscope.config.schema.visualize import VisualizeConfig


def run(settings: "VisualizeConfig", directory: "Path") -> None:
    """Draw the views and the page."""
    from convscope import quiet
    from convscope.app.visualize.inputs import check_inputs

    check_inputs(settings)
    quiet.import_tensorflow()
    from convscope.app.visualize.visualize import visualize

    visualize(settings, directory)


if __name__ == "__main__":
    main(__file__, __doc__, run)
