"""The long form: each failpoint many times, and a table of what was lost, started twice, or left behind.

`python -m tests.faults.long_form [TIMES]`
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.oracle import Verdict
from tests.faults.test_failpoints import points, swept_once


def main() -> int:
    """Sweep and print; return 1 if anything was wrong."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    is_good = True
    print(f"{'fault':24} {'runs':>6} {'lost':>6} {'twice':>6} {'left behind':>12} {'otherwise wrong':>16}")
    for point in points():
        total, runs = Verdict(), 0
        for _ in range(times):
            with tempfile.TemporaryDirectory(prefix="ry-sweep-") as folder:
                number, verdict = swept_once(point, Path(folder))
            runs += number
            for name in ("lost", "twice", "left", "wrong"):
                getattr(total, name).extend(getattr(verdict, name))
        counts = f"{len(total.lost):6} {len(total.twice):6} {len(total.left):12} {len(total.wrong):16}"
        print(f"{point:24} {runs:6} {counts}", flush=True)
        print(*total.wrong, sep="\n", end="\n" if total.wrong else "", file=sys.stderr)
        is_good &= total.is_good
    return not is_good


if __name__ == "__main__":
    sys.exit(main())
