"""Words on the screen: the command of each system, with the words as data."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from runyard_cluster.desktop import _freedesktop, _macos, _windows


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A folder with the programs of all systems."""
    for name in ("notify-send", "osascript", "powershell"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return str(tmp_path)


def test_a_desktop_of_linux_is_told_by_its_own_program(programs: str) -> None:
    said = _freedesktop.program("--title", "-text", {"PATH": programs, "DISPLAY": ":0"})
    assert said is not None
    assert list(said[1:]) == ["--app-name=runyard", "--", "--title", "-text"]
    assert _freedesktop.program("t", "x", {"PATH": programs}) is None, "nobody sits at a server"
    assert _freedesktop.program("t", "x", {"PATH": "/nowhere", "DISPLAY": ":0"}) is None


def test_macos_is_told_by_a_script_that_the_words_are_no_part_of(programs: str) -> None:
    said = _macos.program('"; do shell script "x', "text", {"PATH": programs})
    assert said is not None
    assert list(said[-2:]) == ['"; do shell script "x', "text"]
    assert _macos.program("t", "x", {"PATH": "/nowhere"}) is None


def test_windows_is_told_by_a_script_that_reads_the_words_as_data(programs: str) -> None:
    said = _windows.program("'; Remove-Item 'x", "täxt", {"PATH": programs})
    assert said is not None
    script = base64.b64decode(said[-1]).decode("utf-16-le")
    assert "Remove-Item" not in script
    assert base64.b64encode("täxt".encode()).decode() in script
    assert _windows.program("t", "x", {"PATH": "/nowhere"}) is None
