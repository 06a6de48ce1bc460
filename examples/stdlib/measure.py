"""Measure one package of Python's standard library: parse every file, count what it defines, compress it.

Prints a line a file, reports its progress while it runs, and leaves its numbers as the run's result.
"""

import ast
import json
import lzma
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import runyard


def main() -> None:
    name = sys.argv[1]
    files = sources(name)
    total: Counter[str] = Counter()
    for number, path in enumerate(files, 1):
        counts = measure(path)
        total += counts
        print(f"{path.name:28} {counts['lines']:6} lines {counts['functions']:5} functions", flush=True)
        runyard.report(progress=number / len(files), message=f"{number} of {len(files)} files")
    result = {
        "package": name,
        "files": len(files),
        **{k: total[k] for k in ("lines", "functions", "classes", "branches", "bytes", "compressed")},
        "ratio": round(total["bytes"] / max(1, total["compressed"]), 2),
    }
    runyard.report(result=result)
    print(json.dumps(result))


def sources(name: str) -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    folder, file = library / name, library / f"{name}.py"
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [file] if file.is_file() else []
    if not found:
        sys.exit(f"the standard library at {library} has no package {name!r}")
    return found


def measure(path: Path) -> Counter[str]:
    data = path.read_bytes()
    nodes = list(ast.walk(ast.parse(data)))
    return Counter(
        lines=data.count(b"\n"),
        functions=sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in nodes),
        classes=sum(isinstance(n, ast.ClassDef) for n in nodes),
        branches=sum(isinstance(n, ast.If | ast.For | ast.While | ast.Try) for n in nodes),
        bytes=len(data),
        compressed=len(lzma.compress(data, preset=6)),
    )


if __name__ == "__main__":
    main()
