"""The configuration: its schema, what people type, and the one place that knows Hydra."""

from convscope.config.launch import main, to_yaml
from convscope.config.schema import (
    ActivationsConfig,
    AugmentationConfig,
    ClassActivationConfig,
    DatasetConfig,
    FiltersConfig,
    FolderConfig,
    InceptionV3Config,
    ModelConfig,
    PrepareConfig,
    ProceduralConfig,
    SmallConvnetConfig,
    SplitConfig,
    TrainConfig,
    TrainingConfig,
    View,
    VisualizeConfig,
)

__all__ = [
    "ActivationsConfig",
    "AugmentationConfig",
    "ClassActivationConfig",
    "DatasetConfig",
    "FiltersConfig",
    "FolderConfig",
    "InceptionV3Config",
    "ModelConfig",
    "PrepareConfig",
    "ProceduralConfig",
    "SmallConvnetConfig",
    "SplitConfig",
    "TrainConfig",
    "TrainingConfig",
    "View",
    "VisualizeConfig",
    "main",
    "to_yaml",
]
