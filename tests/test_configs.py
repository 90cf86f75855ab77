import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from convscope.config import overrides, registry
from convscope.config.schema.augmentation import AugmentationConfig
from convscope.config.schema.model import SmallConvnetConfig
from convscope.config.schema.prepare import (
    DatasetConfig,
    FolderConfig,
    FractionsConfig,
    InspectConfig,
    PredefinedConfig,
    SplitOf,
)
from convscope.config.schema.train import TrainConfig, TrainingConfig
from convscope.config.schema.view_config import Normalize
from convscope.config.schema.views.activations import ActivationsConfig
from convscope.config.schema.views.examples import ExamplesConfig
from convscope.config.schema.visualize import CheckpointConfig, VisualizeConfig, visualize_schema
from convscope.errors import ConvscopeError

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
STAGES = {
    "create_train_val_test": ["dataset", "split"],
    "train": ["dataset", "model", "augmentation", "finetune", "experiment", "sweep"],
    "visualize": ["experiment/figures"],
}


def compose(stage: str, *given: str) -> object:
    GlobalHydra.instance().clear()
    registry.register(stage)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_object(hydra.compose(stage, overrides=list(given)))


def choices() -> Iterator[tuple[str, str]]:
    for stage, groups in STAGES.items():
        for group in groups:
            for path in sorted((CONF / group).glob("*.yaml")):
                yield stage, f"{group}={path.stem}"


@pytest.mark.parametrize(("stage", "choice"), list(choices()))
def test_every_file_composes_into_its_schema(stage: str, choice: str) -> None:
    needed = {
        "model=keras_application": ["model.application=VGG16"],
        "model=pretrained_file": ["model.file=x"],
        "finetune=two_phase": ["model=vgg16"],
        "experiment=flowers_transfer": ["model.file=x"],
        "experiment=cats_vs_dogs_transfer": ["model.file=x"],
    }
    named = [] if stage == "visualize" else ["dataset.name=x"]
    config = compose(stage, choice, *named, *needed.get(choice, []))
    assert type(config).__name__ == registry.SCHEMAS[stage]().__name__


def test_the_default_is_the_recipe_of_the_flowers_project() -> None:
    config = compose("train")
    assert (config.augmentation.rotation_range, config.augmentation.width_shift_range) == (20, 0.2)
    assert config.augmentation.horizontal_flip
    assert config.training.batch_size == 32
    inception = compose("train", "model=inception_v3").model
    assert (inception.application, inception.units, inception.dropout) == ("InceptionV3", 256, 0.1)
    assert (inception.pooling, inception.activation, inception.trainable) == ("avg", "relu", "all")


def all_schemas() -> Iterator[type]:
    nodes = [
        *(schema() for schema in registry.SCHEMAS.values()),
        *(schema for group in registry.GROUPS.values() for schema in group.values()),
    ]
    seen: set[type] = set()
    while nodes:
        node = nodes.pop()
        if is_dataclass(node) and node not in seen:
            seen.add(node)
            yield node
            nodes += [key.type for key in fields(node) if isinstance(key.type, type)]


def test_every_key_has_a_help_text() -> None:
    for node in all_schemas():
        for key in fields(node):
            assert is_dataclass(key.type) or key.metadata.get("help"), f"{node.__name__}.{key.name}"


@pytest.mark.parametrize("stage", STAGES)
def test_the_full_help_shows_every_key_and_never_imports_tensorflow(stage: str) -> None:
    probe = (
        "import contextlib, io, json, runpy, sys\n"
        "script, runs, results = sys.argv[1], json.loads(sys.argv[2]), []\n"
        "for arguments in runs:\n"
        "    sys.argv[:] = [script, *arguments]\n"
        "    out, err = io.StringIO(), io.StringIO()\n"
        "    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):\n"
        "        try: runpy.run_path(script, run_name='__main__')\n"
        "        except SystemExit as stop: status = int(stop.code or 0)\n"
        "    results.append([status, out.getvalue(), err.getvalue()])\n"
        "print(json.dumps([results, sorted({'tensorflow', 'keras'} & set(sys.modules))]))"
    )
    runs = [["--help"], ["-h"], ["--help-all"], ["trainig.epochs=3"], ["overwrite=perhaps"]]
    done = subprocess.run(
        [sys.executable, "-c", probe, str(ROOT / f"{stage}.py"), json.dumps(runs)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    results, loaded = json.loads(done.stdout)
    assert loaded == []
    assert [status for status, _, _ in results] == [0, 0, 0, 1, 1]
    assert [len(error.splitlines()) for _, _, error in results] == [0, 0, 0, 1, 1]
    assert results[1][1] == results[0][1]
    help_text = results[2][1]
    for key in fields(registry.SCHEMAS[stage]()):
        assert f"{key.name}=" in help_text or f"{key.name}." in help_text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("model.dropout=0.1,0.3", "model.dropout=0.1,0.3"),
        ("images=[a.jpg,b c.jpg]", "images=[a.jpg,b c.jpg]"),
        ("images=a.jpg", "images=[a.jpg]"),
        ("images=[photo (1).jpg]", "images=['photo (1).jpg']"),
        ("images=[~/x.jpg, b=c.jpg]", "images=['~/x.jpg','b=c.jpg']"),
        ("images=[it's.jpg]", "images=['it\\'s.jpg']"),
        ("images=[花/*.png]", "images=['花/*.png']"),
        ("images=@list.txt", "images=[@list.txt]"),
        ("checkpoint=runs/a#1 (b)=c", "checkpoint='runs/a#1 (b)=c'"),
        ("checkpoint=null", "checkpoint=null"),
        ("dataset.source=2024_05_01", "dataset.source='2024_05_01'"),  # else 20240501
        ("dataset.classes=[2024_05, b]", "dataset.classes=['2024_05', b]"),
        ("training.batch_size=16", "training.batch_size=16"),
        ("--multirun", "--multirun"),
    ],
)
def test_values_that_hydra_cannot_parse_are_quoted(given: str, expected: str) -> None:
    assert overrides.normalize([given], ["images"]) == [expected]


@pytest.mark.parametrize(
    "name",
    [
        "photo (1).jpg",
        "~weird",
        "a#b.png",
        "it's.jpg",
        "grün=gelb.jpg",
        "花.jpg",
        "a b",
        "x{1}.jpg",
        "50%.jpg",
        "a\\b.jpg",
        "end\\",
        "[1].jpg",
        "$HOME.jpg",
        "a:b.jpg",
        "!x.jpg",
        '"q".jpg',
    ],
)
def test_any_file_name_reaches_the_stage_unchanged(name: str) -> None:
    (argument,) = overrides.normalize([f"images=[{name}]"], ["images"])
    assert compose("visualize", argument).images == [name]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("animate=gif,mp4", ["gif", "mp4"]), ("animate=mp4", ["mp4"]), ("layers=:50", [":50"])],
)
def test_a_list_in_a_nested_key_needs_no_brackets(given: str, expected: list[str]) -> None:
    keys = list(registry.list_keys(visualize_schema()))
    (argument,) = overrides.normalize([f"activations.{given}"], keys)
    config = compose("visualize", argument)
    assert getattr(config.activations, given.partition("=")[0]) == expected


def test_a_sweep_over_a_list_key_is_not_changed() -> None:
    given = ["-m", "views=[filters],[activations]"]
    assert overrides.normalize(given, ["views"]) == given


@pytest.mark.parametrize(
    "node",
    [
        lambda: FractionsConfig(validation=0.6, test=0.5, of=SplitOf.total),
        lambda: DatasetConfig(name="../elsewhere"),
        lambda: DatasetConfig(name=".."),
        lambda: DatasetConfig(name=".hidden"),
        lambda: DatasetConfig(classes=["a", "b", "a"]),
        lambda: FolderConfig(name="x", class_pattern="a", labels="b.csv"),
        lambda: FractionsConfig(folds=1),
        lambda: PredefinedConfig(folds=5),
        lambda: InspectConfig(near=65),
        lambda: SmallConvnetConfig(input_size=16, preprocessing="none", dropout=0.1),
        lambda: SmallConvnetConfig(input_size=150, preprocessing="nonsense", dropout=0.1),
        lambda: SmallConvnetConfig(input_size=150, preprocessing="none", dropout=1.0),
        lambda: TrainingConfig(epochs=-1),
        lambda: TrainConfig(training=TrainingConfig(epochs=0)),
        lambda: AugmentationConfig(brightness_range=[1.0]),
        lambda: VisualizeConfig(views=[]),
        lambda: VisualizeConfig(splits=[]),
        lambda: ExamplesConfig(top=0),
        lambda: ExamplesConfig(limit=-1),
        lambda: ActivationsConfig(normalize=Normalize.range),
        lambda: ActivationsConfig(range=[0.0, 1.0]),
        lambda: ActivationsConfig(normalize=Normalize.range, range=[1.0, 0.0]),
        lambda: CheckpointConfig(preprocessing="affine"),
    ],
)
def test_values_out_of_range_are_refused(node: Callable[[], object]) -> None:
    with pytest.raises(ConvscopeError, match=r"expected|did you mean|there is"):
        node()


def test_help_can_be_piped_into_a_command_that_exits_early() -> None:
    """The reader has exited before the help is printed, as in `--help | head -1`."""
    read, write = os.pipe()
    os.close(read)
    script = str(ROOT / "visualize.py")
    done = subprocess.run(
        [sys.executable, script, "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
