"""The names of run directories, which tell model and data set."""

from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

from convscope.config import overrides, registry, run_name
from convscope.models.checkpoint_files import CONTRACT_FILE, MODEL_FILE

CONF = Path(__file__).resolve().parent.parent / "conf"
FOLDER = "dataset=folder"


def name_of_run(stage: str, *given: str) -> str:
    """Return the name of the run directory without the date and the time."""
    GlobalHydra.instance().clear()
    registry.register(stage)
    run_name.register(stage)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        arguments = overrides.normalize(given, [])
        config = hydra.compose(stage, overrides=arguments, return_hydra_config=True)
    folder, _, name = config.hydra.run.dir.partition(f"outputs/{stage}/")
    assert (folder, name[19]) == ("", "_")
    return str(name[20:])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training run below `outputs/`, the current folder's last one, with the link `latest`."""
    monkeypatch.chdir(tmp_path)
    run = Path("outputs/train/2026-11-25_14-03-11_small_convnet_pets")
    run.mkdir(parents=True)
    for name in (MODEL_FILE, CONTRACT_FILE):
        (run / name).touch()
    run.with_name("latest").symlink_to(run.name)
    return run


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "small_convnet_procedural"),
        (["experiment=demo"], "small_convnet_procedural"),
        (["model=inception_v3", "dataset=flowers"], "InceptionV3_flowers"),
        (["model=pretrained_file", "model.file=nets/lite0.keras", FOLDER, "dataset.name=pets"], "lite0_pets"),
        (["model=pretrained_file", "model.file=RUN/model.keras"], "RUN_procedural"),
        ([FOLDER, "dataset.source='~/photos/my pets/'"], "small_convnet_my_pets"),
        ([FOLDER, "dataset.name='../../x;$(y)\\z'"], "small_convnet_.._.._x_y_z"),
        ([FOLDER, "dataset.name='花 a=b,c'"], "small_convnet_花_a_b_c"),
        ([FOLDER, f"dataset.name={'x' * 300}"], f"small_convnet_{'x' * 97}~9c4122b3"),
        ([FOLDER], "small_convnet"),
        (["model=keras_application"], "keras_application_procedural"),
        (["evaluate=[outputs/train/latest]"], "evaluate_small_convnet_pets_procedural"),
        (["evaluate=[outputs/train/latest]", FOLDER, "dataset.name=pets"], "evaluate_small_convnet_pets"),
        (["predict=theirs.h5", "images=[x]"], "predict_theirs"),
    ],
)
def test_a_training_run_is_named_after_its_model_and_its_data_set(
    given: list[str], expected: str, run: Path
) -> None:
    assert run.is_dir()
    assert name_of_run("train", *given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "small_convnet_pets"),
        (["checkpoint=outputs/train/latest"], "small_convnet_pets"),
        (["checkpoint=outputs/train/latest/model.keras"], "small_convnet_pets"),
        (["checkpoint=theirs.v2.h5"], "theirs.v2"),
        (["checkpoint=outputs/sweeps/x/dropout=0.1,seed=1.5"], "dropout_0.1_seed_1.5"),
        (["checkpoint=mine"], "mine"),
        (["application=VGG16"], "VGG16"),
        (["compare=[random,outputs/train/latest]"], "compare_random_small_convnet_pets"),
    ],
)
def test_a_page_is_named_after_its_models(given: list[str], expected: str, run: Path) -> None:
    assert run.is_dir()
    assert name_of_run("visualize", *given) == expected


def test_a_page_without_a_run_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert name_of_run("visualize") == "run"
