"""The schema of each stage and of each group, and what is derived from it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_origin

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from convscope.config.schema.augmentation import AugmentationConfig
from convscope.config.schema.model import KerasApplicationConfig, PretrainedFileConfig, SmallConvnetConfig
from convscope.config.schema.prepare import (
    ExtendConfig,
    FolderConfig,
    FractionsConfig,
    KaggleConfig,
    PredefinedConfig,
    PrepareConfig,
    ProceduralConfig,
)
from convscope.config.schema.train import FinetuneConfig, TrainConfig
from convscope.config.schema.visualize import visualize_schema

# Functions, because views can be added to stage 3 until its schema is used.
SCHEMAS: dict[str, Callable[[], type]] = {
    "create_train_val_test": lambda: PrepareConfig,
    "train": lambda: TrainConfig,
    "visualize": visualize_schema,
}
GROUPS: dict[str, dict[str, type]] = {
    "dataset": {
        "procedural": ProceduralConfig,
        "folder": FolderConfig,
        "kaggle": KaggleConfig,
    },
    "split": {
        "fractions": FractionsConfig,
        "predefined": PredefinedConfig,
        "extend": ExtendConfig,
    },
    "model": {
        "small_convnet": SmallConvnetConfig,
        "keras_application": KerasApplicationConfig,
        "pretrained_file": PretrainedFileConfig,
    },
    "augmentation": {"base": AugmentationConfig},
    "finetune": {"base": FinetuneConfig},
}


def register(stage: str) -> None:
    """Register the schema of a stage, and those of every group, with Hydra, as `schema_NAME`."""
    store = ConfigStore.instance()
    store.store(name=f"schema_{stage}", node=SCHEMAS[stage]())
    for group, nodes in GROUPS.items():
        for name, node in nodes.items():
            store.store(group=group, name=f"schema_{name}", node=node)


def list_keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Yield the keys of a schema whose values are lists, for example "views" and "activations.layers"."""
    for item in fields(node):
        if get_origin(item.type) is list:
            yield prefix + item.name
        elif is_dataclass(item.type):
            yield from list_keys(item.type, f"{prefix}{item.name}.")


def to_yaml(config: Any, *, without: Collection[str] = ()) -> str:
    """Return a config object as YAML, without some of its keys."""
    content: Any = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    return OmegaConf.to_yaml({key: value for key, value in content.items() if key not in without})
