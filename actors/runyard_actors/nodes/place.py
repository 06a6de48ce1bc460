"""Where a node keeps its run folders: on the disk that it shares with the manager, or on one of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from runyard_actors.nodes.messages import NodeOrders
from runyard_cluster.data_dir import DataDir, default_data_dir
from runyard_cluster.errors import UnavailableError

#: Set in the environment of a node's `ray start`, it names the folder that this node keeps its data in.
VARIABLE = "RUNYARD_DATA_DIR"


def token_digest(data_dir: DataDir) -> str:
    """Return what tells one data folder from another, and gives nothing away."""
    return hashlib.sha256(data_dir.token().encode()).hexdigest()


def runs_folder(orders: NodeOrders, environ: Mapping[str, str] = os.environ) -> tuple[Path, bool]:
    """Return the folder, and whether the manager sees it at the same path, too. Raises UnavailableError."""
    wanted = environ.get(VARIABLE)
    shared = DataDir(Path(orders.data_dir))
    if (not wanted or Path(wanted) == shared.path) and _is_shared(shared, orders.token_digest):
        return shared.runs, True
    last: OSError | None = None
    for path in [Path(wanted)] if wanted else [shared.path, default_data_dir()]:
        # Apart from what a server on this machine keeps, which may be another yard's.
        folder = path / "node" / "runs"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            last = error
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder, False
    why = f" ({last.strerror}: {last.filename})" if last else ""
    raise UnavailableError(f"no data folder can be made on {orders.name}{why}; set {VARIABLE} there")


def contact_file(runs: Path, node: str) -> Path:
    """Return where a node notes its last contact with the manager; several may share the disk."""
    return runs.parent / f"contact-{hashlib.sha256(node.encode()).hexdigest()[:16]}"


def _is_shared(shared: DataDir, digest: str) -> bool:
    try:
        found = shared.token_file.read_text("utf-8").strip()
    except (OSError, ValueError):
        return False
    return hashlib.sha256(found.encode()).hexdigest() == digest and os.access(shared.runs, os.W_OK)
