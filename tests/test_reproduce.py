"""Every command of docs/reproduce.md: its settings exist, and it runs with small ones."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.images import save_png
from convscope.render.video import mp4
from tests.conftest import ROOT, Outcome, write_class_folders

Command = Callable[..., Outcome]
KAGGLE = {"dataset=flowers", "dataset=cats_vs_dogs"}
SMALL_NET = ["model.widths=[4,4,4,4]", "model.units=4", "training.epochs=1", "augmentation=none"]
LARGE_NET = ["model.weights=null", "model.input_size=75", "training.epochs=1", "augmentation=none"]
FEW = ["filters.count=1", "filters.steps=1"]


def blocks() -> Iterator[tuple[str, list[str]]]:
    """Yield the section and the commands of each block."""
    text = (ROOT / "docs" / "reproduce.md").read_text("utf-8")
    for section in text.split("\n## ")[1:]:
        for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL):
            yield section.partition("\n")[0], block.splitlines()


def files() -> None:
    """Write the photographs and the video that the commands name."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 60, 80, 3)).astype(np.uint8)
    for name in ("flower.jpg", "cat.png", "dog.png", "corgi.png", "cat.jpg"):
        save_png(Path(name), pixels[0])
    mp4(Path("cat.mp4"), pixels, 4)


def with_small_settings(script: str, given: list[str]) -> list[str]:
    """Return arguments of a command that make it fast; a later value of a key replaces an earlier one."""
    if script == "create_train_val_test":
        return [*given, "dataset.images_per_class=12", "dataset.image_size=48"]
    if script == "train":
        is_large = "experiment=flowers_inception_v3" in given
        return [*given, *(LARGE_NET if is_large else SMALL_NET)]
    is_large = "experiment/figures=cat_vgg16" in given
    return [*given, *(FEW if "experiment/figures" in " ".join(given) else []), *(["weights=null"] * is_large)]


def make_as_if_downloaded(command: Command, dataset: str) -> None:
    """Make a data set of Kaggle from a folder; its settings are only composed."""
    assert command("create_train_val_test", dataset, "--cfg", "job").status == 0
    source = write_class_folders(Path("photos"))
    name = dataset.partition("=")[2]
    folder = ["dataset=folder", f"dataset.name={name}", f"dataset.source={source}"]
    assert command("create_train_val_test", *folder).status == 0


@pytest.mark.parametrize("line", sorted({line for _, commands in blocks() for line in commands}))
def test_the_settings_of_a_command_exist(command: Command, line: str) -> None:
    _, script, *given = shlex.split(line)
    done = command(script.removesuffix(".py"), *given, "--cfg", "job")
    assert done.status == 0, done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "commands", [pytest.param(given, id=f"{section}-{n}") for n, (section, given) in enumerate(blocks())]
)
def test_the_commands_of_a_block_run_one_after_the_other(command: Command, commands: list[str]) -> None:
    files()
    for line in commands:
        python, script, *given = shlex.split(line)
        assert (python, script[-3:]) == ("python", ".py")
        stage = script[:-3]
        kaggle = KAGGLE & set(given)
        if stage == "create_train_val_test" and kaggle:
            make_as_if_downloaded(command, kaggle.pop())
            continue
        keras.utils.clear_session()  # in a new process, the first convolution is conv2d
        done = command(stage, *with_small_settings(stage, given))
        assert done.status == 0, f"{line}: {done.err.splitlines()[-1]}"
    shutil.rmtree("outputs")


def test_every_project_has_commands() -> None:
    scripts = [shlex.split(line)[1] for _, commands in blocks() for line in commands]
    assert scripts.count("visualize.py") == 9
    assert len({section for section, _ in blocks()}) == 4
