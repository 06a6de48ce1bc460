"""Every check but the tests: format, lint, types on three systems, import directions. Works on all of them."""

from __future__ import annotations

import subprocess
import sys

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
    print("all checks passed" if not failed else f"failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
