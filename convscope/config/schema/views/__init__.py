"""The settings of the views of stage 3, one file for each view, and the table of all views."""

from convscope.config.schema.view_config import ViewConfig
from convscope.config.schema.views.activations import ActivationsConfig
from convscope.config.schema.views.channels import ChannelsConfig
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.config.schema.views.classes import ClassesConfig
from convscope.config.schema.views.comparison import ComparisonConfig
from convscope.config.schema.views.evolution import EvolutionConfig
from convscope.config.schema.views.examples import ExamplesConfig
from convscope.config.schema.views.faithfulness import FaithfulnessConfig
from convscope.config.schema.views.filters import FiltersConfig
from convscope.config.schema.views.gallery import GalleryConfig
from convscope.config.schema.views.layers import LayersConfig

# All views in the order in which they are drawn and shown. `comparison` needs the maps of `activations`.
VIEWS: dict[str, type[ViewConfig]] = {
    view.name: view
    for view in (
        LayersConfig, ClassActivationConfig, FaithfulnessConfig, ActivationsConfig, EvolutionConfig,
        FiltersConfig, ClassesConfig, ExamplesConfig, ChannelsConfig, GalleryConfig,
        ComparisonConfig,
    )
}  # fmt: skip
