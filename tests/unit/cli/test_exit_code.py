"""Exit codes: what a shell learns of a run and of an error."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.cli.exit_code import code_of_all, code_of_error, code_of_run
from runyard_cluster import errors
from tests.unit.cli.playing import ended_json


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"status": "completed", "exit_code": 0}, 0),
        ({"reason": "exit_code", "exit_code": 3}, 3),
        ({"reason": "exit_code", "exit_code": 3221225477}, 3221225477),
        ({"reason": "signal", "signal": 11, "exit_code": None}, 139),
        ({"reason": "timeout", "signal": 15, "exit_code": None}, 124),
        ({"reason": "memory_limit", "signal": 9, "exit_code": None}, 137),
        ({"reason": "gpu_memory_limit", "signal": 15, "exit_code": None}, 137),
        ({"reason": "out_of_memory", "exit_code": 1}, 1),
        ({"reason": "start_error", "reason_detail": "program not found: x", "exit_code": None}, 127),
        ({"reason": "start_error", "reason_detail": "script not found: x.py", "exit_code": None}, 127),
        (
            {
                "reason": "start_error",
                "reason_detail": "not executable: x (permission denied)",
                "exit_code": None,
            },
            126,
        ),
        ({"reason": "start_error", "reason_detail": "cwd not found: /x", "exit_code": None}, 126),
        ({"reason": "start_error", "reason_detail": "program not found: x", "exit_code": 126}, 126),
        ({"reason": "node_lost", "exit_code": None}, 125),
        ({"reason": "supervisor_lost", "signal": 9, "exit_code": None}, 125),
        ({"reason": "dependency_failed", "status": "cancelled", "exit_code": None}, 130),
        ({"reason": "cancelled_by_user", "status": "cancelled", "signal": 15, "exit_code": None}, 143),
        ({"reason": "cancelled_by_user", "status": "cancelled", "exit_code": 0}, 130),
    ],
)
def test_run_exits_with_what_happened(end: dict[str, Any], code: int) -> None:
    assert code_of_run(ended_json(**{"status": "failed", **end})) == code


def test_several_runs_are_good_only_if_all_completed() -> None:
    assert code_of_all([]) == 0
    assert code_of_all([ended_json(), ended_json(status="cancelled")]) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidRequestError(), 2),
        (errors.SettingsError(), 2),
        (errors.NotFoundError(), 2),
        (errors.ResourceLimitError(), 2),
        (errors.ConnectionFailedError(), 3),
        (errors.AuthenticationError(), 3),
        (errors.UnavailableError(), 3),
        (errors.ConflictError(), 1),
        (errors.ConcurrencyLimitError(), 1),
    ],
)
def test_errors_have_their_exit_codes(error: errors.RunyardError, code: int) -> None:
    assert code_of_error(error) == code
