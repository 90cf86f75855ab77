"""Stage 3: draw what a model learned, and write a page with all pictures.

python visualize.py                                      # the last training run
python visualize.py checkpoint=outputs/train/latest images=rex.jpg
python visualize.py application=VGG16 'views=[filters]'  # a network of Keras
python visualize.py serve=outputs/visualize/latest       # open a page through a tunnel
"""

from typing import TYPE_CHECKING

from convscope.startup import main

if TYPE_CHECKING:
    from pathlib import Path

    from convscope.config.schema.visualize import VisualizeConfig


def run(settings: "VisualizeConfig", directory: "Path") -> None:
    """Draw the views and the page; with `serve` or `views=[page]`, use those of a finished run."""
    if settings.serve is not None:
        from convscope.app.visualize.serve import serve
        from convscope.files import user_path

        return serve(user_path(settings.serve))
    if settings.views == ["page"]:
        from convscope.app.visualize.rebuild import rebuild

        rebuild(directory)
        return None
    from convscope import quiet
    from convscope.app.visualize.inputs import check_inputs

    check_inputs(settings)
    quiet.import_tensorflow()
    from convscope.app.visualize.visualize import visualize

    visualize(settings, directory)
    return None


if __name__ == "__main__":
    main(__file__, __doc__, run)
