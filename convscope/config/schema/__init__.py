"""The schema of every configuration: dataclasses whose fields carry their own help.

The YAML files under `conf/` hold the values; what they and the command line say is checked against
these classes before TensorFlow is imported. A config names data, never code.
"""

from convscope.config.schema.activations import ActivationsConfig, Animation, Normalize, Order, Statistics
from convscope.config.schema.files import FilesConfig
from convscope.config.schema.prepare import (
    DatasetConfig,
    ExtendConfig,
    FolderConfig,
    FractionsConfig,
    InspectConfig,
    KaggleConfig,
    PhotographsConfig,
    PredefinedConfig,
    PrepareConfig,
    ProceduralConfig,
    SplitConfig,
    SplitOf,
)
from convscope.config.schema.train import (
    AugmentationConfig,
    Callbacks,
    FinetuneConfig,
    KerasApplicationConfig,
    Logger,
    ModelConfig,
    PretrainedConfig,
    PretrainedFileConfig,
    SmallConvnetConfig,
    TrainConfig,
    TrainingConfig,
)
from convscope.config.schema.visualize import (
    APPLICATION,
    RANDOM,
    CheckpointConfig,
    ClassActivationConfig,
    ComparisonConfig,
    EvolutionConfig,
    ExamplesConfig,
    FiltersConfig,
    View,
    VisualizeConfig,
)

__all__ = [
    "APPLICATION",
    "RANDOM",
    "ActivationsConfig",
    "Animation",
    "AugmentationConfig",
    "Callbacks",
    "CheckpointConfig",
    "ClassActivationConfig",
    "ComparisonConfig",
    "DatasetConfig",
    "EvolutionConfig",
    "ExamplesConfig",
    "ExtendConfig",
    "FilesConfig",
    "FiltersConfig",
    "FinetuneConfig",
    "FolderConfig",
    "FractionsConfig",
    "InspectConfig",
    "KaggleConfig",
    "KerasApplicationConfig",
    "Logger",
    "ModelConfig",
    "Normalize",
    "Order",
    "PhotographsConfig",
    "PredefinedConfig",
    "PrepareConfig",
    "PretrainedConfig",
    "PretrainedFileConfig",
    "ProceduralConfig",
    "SmallConvnetConfig",
    "SplitConfig",
    "SplitOf",
    "Statistics",
    "TrainConfig",
    "TrainingConfig",
    "View",
    "VisualizeConfig",
]
