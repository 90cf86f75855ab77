"""The settings of the view `faithfulness`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig
from convscope.options import check_range, option


@dataclass
class FaithfulnessConfig(ViewConfig):
    """Measurements of class activation: how well its maps show what the network uses."""

    name = "faithfulness"
    title = "Faithfulness of class activation"
    drawn_by = f"{VIEWS_PACKAGE}.faithfulness:FaithfulnessView"
    intro = (
        "Each method explains the predicted class of the same images. Two controls know nothing of the "
        "network: a random map and a centred Gaussian. By a measure, a method is faithful if its interval "
        "lies beyond those of the controls, in the direction of the arrow."
    )
    max_models = 1

    methods: list[str] = option(
        [
            "grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "eigen_cam", "finer_cam",
            "gradient_times_input",
        ],
        "methods of class_activation to measure, at class_activation.layer; [] selects all",
    )  # fmt: skip
    measures: list[str] = option(
        [],
        "single_deletion, road, deletion, insertion, grid_pointing, randomisation; with masks also pointing, "
        "relevance_mass, relevance_rank; [] selects all",
    )
    limit: int = option(200, "maximum number of images, chosen at random from splits; at most 200")

    def __post_init__(self) -> None:
        """Check the range."""
        super().__post_init__()
        check_range("faithfulness.limit", self.limit, 1, 200)
