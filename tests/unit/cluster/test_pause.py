"""Rules of `pause_when` hold when they say they do, and words that are none are refused in words that help."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runyard_cluster.errors import SettingsError
from runyard_cluster.pause import Own, PauseWatch, parse_rule
from runyard_cluster.pause.battery import Battery
from runyard_cluster.pause.full_screen import FullScreen
from runyard_cluster.pause.gpu_busy import GpuBusy
from runyard_cluster.screen import _x11
from runyard_cluster.settings import load_settings

OURS = Own(pids=frozenset({100}), gpus=frozenset({0}))
NOBODY = Own()


def at(day: int, clock: str) -> Callable[[], datetime]:
    """Return a clock; 1 June 2026 is a Monday."""
    return lambda: datetime.fromisoformat(f"2026-06-{day:02}T{clock}")


@pytest.mark.parametrize(
    ("words", "day", "clock", "holds"),
    [
        ("22:00-07:00", 1, "21:59:59", False),
        ("22:00-07:00", 1, "22:00:00", True),
        ("22:00-07:00", 2, "00:00:00", True),
        ("22:00-07:00", 2, "06:59:59", True),
        ("22:00-07:00", 2, "07:00:00", False),
        ("09:00-17:30", 1, "17:29:59", True),
        ("9:00 - 17:30", 1, "17:30:00", False),
        ("00:00-24:00", 1, "23:59:59", True),
        ("mon-fri 08:00-18:00", 5, "08:00:00", True),
        ("mon-fri 08:00-18:00", 6, "08:00:00", False),
        # The night from Friday to Saturday belongs to Friday, that from Sunday to Monday does not.
        ("mon-fri 22:00-07:00", 6, "03:00:00", True),
        ("mon-fri 22:00-07:00", 1, "03:00:00", False),
        ("Sat, Sun 00:00-24:00", 7, "12:00:00", True),
        ("fri-mon 10:00-11:00", 1, "10:30:00", True),
        ("fri-mon 10:00-11:00", 2, "10:30:00", False),
    ],
)
def test_hours_are_local_and_go_over_midnight(words: str, day: int, clock: str, holds: bool) -> None:
    assert bool(parse_rule(words, now=at(day, clock)).holds(NOBODY)) is holds


def test_hours_say_until_when() -> None:
    watch = PauseWatch([parse_rule("22:00-07:00", now=at(1, "23:00:00"))])
    assert watch.why(NOBODY) == "paused from 22:00 to 07:00 (pause_when)"


@pytest.mark.parametrize(
    ("plugged", "words"), [(False, "while on battery"), (True, None), (None, None), ("none", None)]
)
def test_the_battery_counts_once_mains_power_is_known_to_be_gone(plugged: Any, words: str | None) -> None:
    rule = Battery(lambda: None if plugged == "none" else SimpleNamespace(power_plugged=plugged))
    assert rule.holds(NOBODY) == words
    assert (rule.missing() is None) is (plugged != "none")


@pytest.mark.parametrize("is_full", [True, False, None])
def test_a_full_screen_counts_where_it_can_be_told(is_full: bool | None) -> None:
    rule = FullScreen(lambda: is_full)
    assert (rule.holds(NOBODY) is not None) is (is_full is True)
    assert (rule.missing() is not None) is (is_full is None)


@pytest.mark.parametrize(
    ("root", "window", "expected"),
    [
        (
            "_NET_ACTIVE_WINDOW(WINDOW): window id # 0x3c00006\n",
            "_NET_WM_STATE(ATOM) = _NET_WM_STATE_FULLSCREEN",
            True,
        ),
        ("_NET_ACTIVE_WINDOW(WINDOW): window id # 0x3c00006, 0x0\n", "_NET_WM_STATE(ATOM) = ", False),
        ("_NET_ACTIVE_WINDOW(WINDOW): window id # 0x0\n", None, False),
        ("_NET_ACTIVE_WINDOW:  not found.\n", None, False),
        (None, None, None),
    ],
)
def test_what_xprop_says_is_understood(root: str | None, window: str | None, expected: bool | None) -> None:
    answers = {"-root": root, "-id": window}
    assert _x11.is_full({"DISPLAY": ":0"}, lambda *words: answers[words[0]]) is expected
    assert _x11.is_full({}, lambda *words: answers[words[0]]) is None


class Nvml:
    """Two GPUs, with the processes and the use that a test says."""

    NVMLError = RuntimeError

    def __init__(self, pids: list[int], use: list[int | None], count: int = 2) -> None:
        self._pids, self._use, self._count = pids, use, count

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self._count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return [SimpleNamespace(pid=pid) for pid in self._pids] if handle == 0 else []

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        use = self._use[handle]
        if use is None:
            raise RuntimeError("not supported")
        return SimpleNamespace(gpu=use)


#: 100 is our supervisor, 101 below it, 200 a stranger's; 300 cannot be seen, as from within a container.
PARENTS: dict[int, list[int]] = {101: [101, 100, 1], 200: [200, 150, 1]}
FOREIGN = "while another program computes on GPU 0 (process 200)"


@pytest.mark.parametrize(
    ("pids", "use", "own", "words"),
    [
        ([], [0, 0], NOBODY, None),
        ([101], [99, 0], OURS, None),
        ([101, 200], [99, 0], OURS, FOREIGN),
        ([200], [0, 0], NOBODY, FOREIGN),
        ([], [31, 0], NOBODY, "while others keep GPU 0 31 % busy"),
        ([], [30, 0], NOBODY, None),
        ([], [99, 50], OURS, "while others keep GPU 1 50 % busy"),
        ([300], [99, 0], OURS, None),
        ([300], [0, 0], NOBODY, FOREIGN.replace("200", "300")),
        ([], [None, None], NOBODY, None),
    ],
)
def test_a_gpu_is_busy_with_what_is_not_ours(
    pids: list[int], use: list[int | None], own: Own, words: str | None
) -> None:
    rule = GpuBusy(load=lambda: Nvml(pids, use), parents=PARENTS.get)  # type: ignore[arg-type, return-value]
    assert rule.holds(own) == words
    assert rule.missing() is None


def test_with_a_percentage_only_work_counts() -> None:
    nvml = Nvml([200], [40, 0])
    rule = GpuBusy(50, only_by_use=True, load=lambda: nvml, parents=PARENTS.get)  # type: ignore[arg-type, return-value]
    assert rule.holds(NOBODY) is None
    idle = GpuBusy(30, only_by_use=True, load=lambda: nvml, parents=PARENTS.get)  # type: ignore[arg-type, return-value]
    assert idle.holds(NOBODY) == "while others keep GPU 0 40 % busy"
    nothing = GpuBusy(load=lambda: Nvml([], [], 0))  # type: ignore[arg-type, return-value]
    assert nothing.missing() is not None


def test_our_own_process_is_below_itself() -> None:
    rule = GpuBusy(load=lambda: Nvml([os.getpid()], [0, 0]))  # type: ignore[arg-type, return-value]
    assert rule.holds(Own(pids=frozenset({os.getppid()}))) is None
    assert rule.holds(NOBODY) is not None


def test_the_first_rule_that_holds_is_told_and_a_broken_one_does_not_hold(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        raise OSError("no such file")

    watch = PauseWatch([Battery(broken), FullScreen(lambda: True)])
    for _ in range(3):
        assert watch.why(NOBODY) == "paused while a program fills the screen (pause_when)"
    assert caplog.text.count("cannot be asked") == 1
    assert not PauseWatch(()).has_rules


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('"batery"', 'did you mean "battery"?'),
        ('"full_screen"', 'did you mean "fullscreen"?'),
        ('"gpu"', '"gpu_busy 30%"'),
        ('"gpu_busy 100%"', '"gpu_busy 30%"'),
        ('"25:00-07:00"', "25:00 is no time of the day"),
        ('"22:00-22:00"', "must differ"),
        ('"24:00-07:00"', "must differ"),
        ('"mo-fr 22:00-07:00"', "'mo-fr' is no day; allowed: mon, tue"),
        ("7", "is no rule"),
        ('""', "is no rule"),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path: Path, rule: str, words: str) -> None:
    file = tmp_path / "runyard.toml"
    file.write_text(f'pause_when = ["battery", {rule}]\n')
    with pytest.raises(SettingsError) as raised:
        load_settings(file, environ={})
    assert words in str(raised.value) and "pause_when" in str(raised.value)


def test_rules_come_from_the_file_or_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "runyard.toml"
    file.write_text('pause_when = ["battery", "mon-fri 22:00-07:00"]\n')
    assert load_settings(file, environ={}).pause_when == ("battery", "mon-fri 22:00-07:00")
    variable = {"RUNYARD_PAUSE_WHEN": "fullscreen, gpu_busy 40%"}
    assert load_settings(file, environ=variable).pause_when == ("fullscreen", "gpu_busy 40%")
