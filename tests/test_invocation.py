"""The commands that convscope prints: they work for the person who started it."""

import sys
from collections.abc import Iterator

import pytest

from convscope import ffmpeg, invocation
from convscope.config import launchers
from convscope.errors import ConvscopeError
from convscope.invocation import Invocation


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = invocation.get()
    yield
    invocation.begin(before)


@pytest.mark.parametrize(
    ("program", "trained", "made"),
    [
        (("python", "train.py"), "python train.py 'a=[1,2]'", "python create_train_val_test.py"),
        (
            ("python", "../x/train.py"),
            "python ../x/train.py 'a=[1,2]'",
            "python ../x/create_train_val_test.py",
        ),
        (("convscope", "train"), "convscope train 'a=[1,2]'", "convscope prepare"),
        (
            ("python", "-m", "convscope", "train"),
            "python -m convscope train 'a=[1,2]'",
            "python -m convscope prepare",
        ),
        ((), "convscope.train('a=[1,2]')", "convscope.prepare()"),
    ],
)
def test_a_command_starts_like_this_process(program: tuple[str, ...], trained: str, made: str) -> None:
    invocation.begin(Invocation(program, "train", ("a=[1,2]",)))
    assert invocation.this_command() == trained
    assert invocation.command("create_train_val_test") == made


@pytest.mark.parametrize(("program", "is_named"), [("train.py", True), ("train", False)])
def test_make_is_only_named_where_there_is_a_makefile(
    program: str, is_named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    invocation.begin(Invocation(("python", program), "train"))
    monkeypatch.setattr(launchers, "find_spec", lambda _: None)
    with pytest.raises(ConvscopeError, match="run '") as raised:
        launchers.prepare(["-m", "launcher=ray"])
    assert "python -m pip install hydra-ray-launcher" in str(raised.value)
    assert ("make launchers" in str(raised.value)) == is_named


def test_without_ffmpeg_the_error_has_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # as if it were not installed
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConvscopeError, match="run 'python -m pip install imageio-ffmpeg'"):
        ffmpeg.program()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/opt/ffmpeg")
    assert ffmpeg.program() == "/opt/ffmpeg"
