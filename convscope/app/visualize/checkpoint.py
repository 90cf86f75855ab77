"""From the configuration of stage 3 to the model that it looks into."""

from pathlib import Path

from convscope.config.schema.visualize import CheckpointConfig
from convscope.errors import ConvscopeError
from convscope.models.bundle import ModelBundle, find_last_run
from convscope.models.opening import Reading, open_application, open_checkpoint
from convscope.preprocessing import chosen


def open_model(config: CheckpointConfig) -> ModelBundle:
    """The model of `config.application`, of `config.checkpoint`, or of the last run under `outputs/`.

    Raises:
        ConvscopeError: there is none, or it cannot be opened as it is described.
    """
    reading = reading_of(config)
    if config.application:
        return open_application(config.application, config.weights, reading)
    if config.checkpoint:
        return open_checkpoint(Path(config.checkpoint).expanduser(), reading)
    return open_checkpoint(find_last_run(Path("outputs")), reading)


def reading_of(config: CheckpointConfig) -> Reading:
    """What the configuration says of a model that has no `model.json`."""
    return Reading(
        preprocessing=chosen(config.preprocessing, config.scale, config.offset)
        if config.preprocessing
        else None,
        class_names=_class_names(config.class_names),
        input=config.input,
        output=config.output,
        outputs=config.outputs.value if config.outputs else None,
        input_size=config.input_size,
        allow_code=config.allow_code,
    )


def _class_names(given: list[str]) -> list[str]:
    """As given, or from a text file with a name a line."""
    if len(given) != 1 or not given[0].startswith("@"):
        return given
    path = Path(given[0][1:]).expanduser()
    if not path.is_file():
        raise ConvscopeError(f"no class names at {path}: expected a text file with a name a line")
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConvscopeError(f"{path} is not in UTF-8: expected a text file with a name a line") from None
    return [line.strip() for line in lines if line.strip()]
