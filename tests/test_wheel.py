"""The program `convscope` of the built wheel, in a folder without a clone."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_class_folders

TINY = ["model.input_size=24", "model.widths=[3]", "model.units=4", "training.epochs=1", "augmentation=none"]
MINE = "defaults:\n  - schema_folder\n  - _self_\nname: mine\nsource: photos\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed in, without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    given = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
    target = folder / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", *given, "--target", target, wheel], check=True)
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photographs and a data set of its own in `conf/`."""
    write_class_folders(tmp_path / "photos")
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "mine.yaml").write_text(MINE)
    return tmp_path


def convscope(site: Path, folder: Path, *arguments: str, module: bool = False) -> tuple[int, str, str]:
    """Run the program in a folder; return its status, its standard output and the last line of its errors."""
    program = ["-m", "convscope"] if module else [str(site / "bin" / "convscope")]
    environment = os.environ | {"PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]


def test_the_program_prints_a_short_help(site: Path, tmp_path: Path) -> None:
    status, printed, _ = convscope(site, tmp_path)
    assert status == 0
    assert len(printed.splitlines()) <= 15
    assert re.findall(r"^convscope (\w+) +Stage", printed, re.MULTILINE) == ["prepare", "train", "visualize"]
    assert convscope(site, tmp_path, "--help")[1] == printed
    as_module = convscope(site, tmp_path, module=True)[1]
    assert as_module.replace("python -m convscope", "convscope") == printed
    assert convscope(site, tmp_path, "--version")[1] == "convscope 0.1.0\n"


def test_the_help_of_the_program_imports_neither_tensorflow_nor_hydra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['convscope']\n"
        "from convscope.startup import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'tensorflow', 'keras', 'hydra', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "visualise",
            "error: no command 'visualise': did you mean visualize? Expected one of prepare, train, ",
        ),
        (
            "dataset=x",
            "error: no command before 'dataset=x': expected one of prepare, train, visualize, then",
        ),
    ],
)
def test_a_wrong_command_is_an_error_of_one_line(
    site: Path, tmp_path: Path, given: str, message: str
) -> None:
    status, printed, error = convscope(site, tmp_path, given)
    assert (status, printed) == (1, "")
    assert error.startswith(message)


def test_a_data_set_in_the_conf_of_the_current_folder_is_found_first(site: Path, folder: Path) -> None:
    status, printed, error = convscope(site, folder, "prepare", "dataset=mine")
    assert status == 0, error
    assert "written     data/mine" in printed
    assert len(json.loads((folder / "data/mine/manifest.json").read_text())["images"]) == 20
    help_text = convscope(site, folder, "prepare", "--help")[1]
    assert help_text.startswith("Stage 1: ")
    assert "\nconvscope prepare dataset=folder" in help_text
    assert "| mine\n" in help_text
    other = convscope(site, folder, "train", "dataset=folder", "dataset.name=pets")
    assert other[0] == 1
    assert "data contains: mine): make it with 'convscope prepare' and the same" in other[2]


def test_a_main_file_of_another_program_is_refused(site: Path, folder: Path) -> None:
    (folder / "conf" / "train.yaml").write_text("lr: 0.1\n")
    status, _, error = convscope(site, folder, "train", "dataset=mine")
    assert status == 1
    assert error.startswith("error: conf/train.yaml is not a configuration of convscope: expected '- schema_")


@pytest.mark.slow
def test_the_three_commands_lead_from_photographs_to_a_page(site: Path, folder: Path) -> None:
    assert convscope(site, folder, "prepare", "dataset=mine")[0] == 0
    status, printed, error = convscope(site, folder, "train", "dataset=mine", *TINY)
    assert status == 0, error
    (run,) = (folder / "outputs" / "train").glob("2*")
    repeat = shlex.join(["convscope", "train", "dataset=mine", *TINY])
    assert repeat in (run / "report.html").read_text().replace("&#39;", "'")
    status, printed, error = convscope(site, folder, "visualize", "views=[activations]")
    assert status == 0, error
    page = folder / printed.splitlines()[-1].removeprefix("written: ")
    assert json.loads((page.parent / "manifest.json").read_text())["command"].startswith(
        "convscope visualize"
    )
