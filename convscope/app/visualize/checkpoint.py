"""Open the model that the configuration of stage 3 describes."""

from pathlib import Path

from convscope.config.schema.visualize import CheckpointConfig
from convscope.models.bundle import ModelBundle, find_last_run
from convscope.models.opening import open_application, open_checkpoint
from convscope.models.reading import Reading


def open_model(config: CheckpointConfig) -> ModelBundle:
    """Open the model of `config.application`, of `config.checkpoint`, or of the last run under `outputs/`.

    Raises:
        ConvscopeError: there is no such model, or it cannot be opened as the options describe it.
    """
    if config.application:
        return open_application(config.application, config.weights, config)
    if config.checkpoint:
        return open_checkpoint(Path(config.checkpoint).expanduser(), config)
    return open_checkpoint(find_last_run(Path("outputs")), config)


def reading_of(config: CheckpointConfig) -> Reading:
    """Return the options that describe a model without `model.json`: the configuration has them all."""
    return config
