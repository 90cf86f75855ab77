"""The settings of the view `class_activation`."""

from dataclasses import dataclass
from enum import StrEnum

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option

_OF_TARGET = ("photograph", "class", "method")


class Merge(StrEnum):
    """How the heatmaps of several layers become one."""

    mean = "mean"
    product = "product"


@dataclass
class ClassActivationConfig(ViewConfig):
    """Class activation maps."""

    name = "class_activation"
    title = "Class activation"
    drawn_by = f"{VIEWS_PACKAGE}.class_activation:ClassActivationView"
    by_photograph = True

    method: list[str] = option(
        [],
        "one or several; [] selects grad_cam before global average pooling, else hires_cam. At the layer: "
        "grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, eigen_cam (does not depend on the class), "
        "finer_cam (against the nearest classes), score_cam. At the input: gradient, gradient_times_input, "
        "smooth_gradient, integrated_gradients, occlusion, rise",
    )
    layer: list[str] = option(
        [],
        "the layer whose feature maps are weighted, or several; [] selects the last one before the head",
        heading="Views",
    )
    merge: Merge = option(
        Merge.mean, "how the maps of several layers, each divided by its maximum, are merged: mean or product"
    )
    classes: list[str] = option(
        ["predicted", "true"],
        "what to explain: predicted, true, a class or its index, top:3, all, or a difference such as "
        "daisy-dandelion or predicted-true",
        heading="Views",
    )
    flips: bool = option(False, "average with the heatmap of the mirrored photograph")
    color_map: str = option("inferno", "a colour map of Matplotlib; maps with a sign use blue, white, red")
    alpha: float = option(0.7, "opacity of the heatmap on the photograph where it is highest, 0 to 1")
    scale: float = option(1.0, "factor of the size of the pictures, for slides and print", single=True)
    file: str = option(
        "class_activation/{photograph}/{class}.png",
        "file name of the figure of photograph, heatmap, both and a colour bar; .png, .svg or .pdf",
        placeholders=_OF_TARGET,
        suffixes=(".png", ".svg", ".pdf"),
        single=True,
    )
    mistakes: int = option(
        4,
        "photographs of each cell of the confusion matrix with the maps of the predicted and of the true "
        "class; fewer if the network is large or the method slow; 0 draws none",
        single=True,
    )
    every: int = option(1, "videos: a map for every n-th frame; the frames between show the last map")
    smoothing: float = option(
        0.0,
        "videos: the share of the previous value in probabilities and maps, 0 to below 1; 0 shows each frame "
        "on its own",
    )
    overlay_file: str = option(
        "class_activation/{photograph}/{class}_overlay.png",
        "file name of the heatmap on top of the photograph",
        placeholders=_OF_TARGET,
    )
    heatmap_file: str = option(
        "class_activation/{photograph}/{class}_heatmap.png",
        "file name of the heatmap alone",
        placeholders=_OF_TARGET,
        single=True,
    )
    array_file: str = option(
        "class_activation/{photograph}/{class}.npy",
        "file name of the heatmap as numbers, float32, at the resolution of the method",
        placeholders=_OF_TARGET,
        suffixes=(".npy",),
        single=True,
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("class_activation.alpha", self.alpha, 0, 1)
        check_range("class_activation.scale", self.scale, 0.1, 10)
        check_range("class_activation.mistakes", self.mistakes, 0, 24)
        check_range("class_activation.every", self.every, 1)
        check_range("class_activation.smoothing", self.smoothing, 0, 1, below=True)
        if len(set(self.method)) < len(self.method):
            raise ConvscopeError(
                f"class_activation.method=[{','.join(self.method)}]: expected each method once"
            )
        if not self.classes:
            raise ConvscopeError("class_activation.classes=[]: expected for example [predicted,true]")
