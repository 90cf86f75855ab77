"""Faults of the environment, in the commands: nothing is lost, and every failure is one line."""

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Outcome

Command = Callable[..., Outcome]
PREPARE = ["dataset=folder", "dataset.name=two"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_data_set_behind_a_link_is_kept(command: Command, class_folders: Path, tmp_path: Path) -> None:
    source = f"dataset.source={class_folders}"
    assert command("create_train_val_test", *PREPARE, source).status == 0
    (tmp_path / "big").mkdir()
    (tmp_path / "data" / "two").rename(tmp_path / "big" / "real")
    (tmp_path / "data" / "two").symlink_to("../big/real")
    replace = command("create_train_val_test", *PREPARE, source, "split.seed=1", "overwrite=true")
    assert replace.status == 0
    written = contents(tmp_path / "big" / "real")
    assert "already exists" in command("create_train_val_test", *PREPARE, source, "split.seed=1").out
    assert contents(tmp_path / "big" / "real") == written
    assert len(written) == 22
    assert (tmp_path / "data" / "two").readlink() == Path("../big/real")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["two"]


def test_predicting_only_broken_files_is_an_error(
    command: Command, tmp_path: Path, trained_folder: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    given = [f"predict={trained_folder / 'donor'}", "images=broken.png", "hydra.run.dir=predicted"]
    outcome = command("train", *given)
    assert outcome.status == 1
    error = "error: none of the 1 photographs could be read: see the column error in "
    assert outcome.err.splitlines()[-1].startswith(error)
    assert "not an image" in Path("predicted/predictions.csv").read_text()
