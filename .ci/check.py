"""Every check: format, lint, types on three systems, import directions, the page, tests. Works on all of them.

`--without-tests` leaves the tests out; what else is given goes to pytest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("mypy", "tests/unit/test_types.py"),
    ("mypy", "--platform", "win32"),
    ("mypy", "--platform", "darwin"),
)


def main() -> int:
    """Run all checks, also after one failed; return 1 if any did."""
    failed = []
    for check in CHECKS:
        print("$", *check, flush=True)
        if subprocess.run([sys.executable, "-m", *check]).returncode:
            failed.append(" ".join(check))
    print("$ lint-imports", flush=True)
    if subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    ).returncode:
        failed.append("lint-imports")
    print("$ check_web", flush=True)
    if subprocess.run([sys.executable, str(Path(__file__).with_name("check_web.py"))]).returncode:
        failed.append("check_web")
    arguments = sys.argv[1:]
    if "--without-tests" not in arguments:
        print("$ pytest", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", *arguments]).returncode:
            failed.append("pytest")
    print("all checks passed" if not failed else f"failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
