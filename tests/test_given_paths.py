"""Paths as users give them: with commas, in lists, below home folders, behind links."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from convscope.api.epochs import evolution
from convscope.api.model import open_model
from convscope.config.overrides import normalize
from convscope.data.folder import find_candidates
from convscope.data.image_paths import find
from convscope.errors import ConvscopeError
from tests.conftest import Outcome

Command = Callable[..., Outcome]


def write_images(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def classes_of(root: Path) -> dict[str, str]:
    candidates, _ = find_candidates(root)
    return {candidate.key: candidate.label for candidate in candidates}


@pytest.mark.parametrize("name", ["holiday, 2024.jpg", "it's, 1.jpg"])
def test_a_comma_in_an_existing_path_separates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()

    def value(argument: str) -> list[str]:
        (normal,) = normalize([argument], ["images"])
        return OverridesParser.create().parse_override(normal).value()

    assert value(f"images={name}") == [name]
    assert value("images=a.jpg,b.jpg") == ["a.jpg", "b.jpg"]
    assert value("images=" + "a.jpg," * 999 + "b.jpg") == ["a.jpg"] * 999 + ["b.jpg"]


def test_the_list_of_a_comma_in_its_name_is_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a, b.txt").touch()
    assert normalize(["images=@a, b.txt"], ["images"]) == ["images=['@a, b.txt']"]


def test_a_list_that_includes_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(f"@{tmp_path / 'two.txt'}\n")
    (tmp_path / "two.txt").write_text(f"@{tmp_path / 'one.txt'}\n")
    with pytest.raises(ConvscopeError, match=r"one\.txt includes itself"):
        find([f"@{tmp_path / 'one.txt'}"])


def test_a_list_can_be_included_twice(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    (tmp_path / "one.txt").write_text(f"{tmp_path / 'a.jpg'}\n")
    (tmp_path / "two.txt").write_text(f"@{tmp_path / 'one.txt'}\n@{tmp_path / 'one.txt'}\n")
    assert find([f"@{tmp_path / 'two.txt'}"]) == [tmp_path / "a.jpg"]


def test_a_list_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConvscopeError, match="is not in UTF-8"):
        find([f"@{tmp_path / 'list.txt'}"])


@pytest.mark.parametrize("key", ["dataset.source", "dataset.root"])
def test_an_unknown_home_folder_is_an_error_of_one_line(command: Command, tmp_path: Path, key: str) -> None:
    given = {"dataset.source": str(tmp_path / "photos"), "dataset.root": "data"} | {key: "~nobody-here/x"}
    outcome = command("create_train_val_test", "dataset=folder", *(f"{k}={v}" for k, v in given.items()))
    assert outcome.status == 1
    assert outcome.err.startswith("error: no home folder for ~nobody-here in ~nobody-here/x: expected")
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("key", ["checkpoint", "compare", "class_names"])
def test_an_unknown_home_folder_of_a_model_is_an_error_of_one_line(
    command: Command, trained_folder: Path, key: str
) -> None:
    model = trained_folder / "donor" / "model.keras"
    given = {
        "checkpoint": ["checkpoint=~nobody-here/x"],
        "compare": [f"compare=[{model},'~nobody-here/x']"],
        "class_names": [
            "compare=[]",
            "application=MobileNet",
            "weights=null",
            "class_names=['@~nobody-here/x']",
        ],
    }[key]
    outcome = command("visualize", *given, "hydra.run.dir=drawn")
    assert outcome.err.startswith("error: no home folder for ~nobody-here in ~nobody-here/x: expected")
    assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)


@pytest.mark.parametrize("use", [open_model, evolution])
def test_an_unknown_home_folder_in_the_python_interface_is_a_convscope_error(
    use: Callable[..., object],
) -> None:
    with pytest.raises(ConvscopeError, match="no home folder for ~nobody-here"):
        use(Path("~nobody-here/run"), **({"photograph": "x.png"} if use is evolution else {}))


def test_linked_class_folders_are_followed(tmp_path: Path) -> None:
    write_images(tmp_path, "store/1/a.jpg", "store/2/b.jpg")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "cat").symlink_to("../store/1")
    (tmp_path / "source" / "dog").symlink_to("../store/2")
    assert classes_of(tmp_path / "source") == {"cat/a.jpg": "cat", "dog/b.jpg": "dog"}


def test_a_folder_is_read_once_and_cycles_of_links_end(tmp_path: Path) -> None:
    write_images(tmp_path / "source", "cat/1.jpg", "dog/2.jpg")
    write_images(tmp_path / "store", "owl/3.jpg")
    (tmp_path / "source" / "a").symlink_to("cat")  # a second name of a class
    (tmp_path / "source" / "dog" / "up").symlink_to("../..")
    (tmp_path / "source" / "more").symlink_to("../store")
    (tmp_path / "store" / "owl" / "back").symlink_to("../../source")
    (tmp_path / "store" / "owl" / "self").symlink_to(".")
    assert classes_of(tmp_path / "source") == {
        "cat/1.jpg": "cat",
        "dog/2.jpg": "dog",
        "more/owl/3.jpg": "owl",
    }
