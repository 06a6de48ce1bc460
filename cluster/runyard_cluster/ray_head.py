"""Ray's head on this machine: started, found, joined and stopped, apart from any other Ray beside it."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from runyard_cluster.capacity import Capacity
from runyard_cluster.errors import UnavailableError
from runyard_cluster.ray_token import check_token

#: The namespace that all named actors of runyard live in.
NAMESPACE = "runyard"

#: Runs keep their data in files, never in Ray's object store; this is close to the least Ray accepts.
OBJECT_STORE_BYTES = 100_000_000

#: Ray's processes get this long to end by themselves before they are killed.
STOP_SECONDS = 8.0
#: A head that was started listens within this.
LISTEN_SECONDS = 30.0
#: How often a start is looked at: whether what it started still runs.
START_LOOK_SECONDS = 0.25

#: The two processes that a head stands and falls with.
GCS, RAYLET = "gcs_server", "raylet"
SERVERS = (GCS, RAYLET)

_GCS_PORT = re.compile(r"--gcs_server_port=(\d+)")
_RAY_CLIENT = "-m ray.util.client.server "


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadAddress:
    """Where a head listens: `gcs` is host:port for drivers, `dashboard` a URL or None."""

    gcs: str
    dashboard: str | None


def ray_environment(token_file: Path) -> dict[str, str]:
    """Return the variables that every process talking to our Ray needs, the head included.

    Each is set on purpose: token authentication (the defaults of `ray start` and `ray.init` disagree),
    every socket on loopback, no memory monitor (it kills by age and blind to use), workers at normal
    priority, idle workers kept for a burst, tasks not marked failed when a driver leaves.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_worker_niceness": "0",
        "RAY_raylet_start_wait_time_s": "120",
        "RAY_idle_worker_killing_time_threshold_ms": "60000",
        "RAY_task_events_max_num_task_in_gcs": "20000",
        "RAY_gcs_mark_task_failed_on_job_done_delay_ms": "1000000000000",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_DEDUP_LOGS": "0",
    }


def start_head(
    *,
    temp: Path,
    capacity: Capacity,
    environ: Mapping[str, str],
    has_dashboard: bool,
    address: str | None = None,
) -> HeadAddress:
    """Start a head with exactly `capacity`, at a free port or at `address` again; return where it listens.

    Raises UnavailableError with Ray's own words when it does not come up.
    """
    temp.mkdir(mode=0o700, parents=True, exist_ok=True)
    gcs, dashboard, client = _free_ports(3)
    if address:
        gcs = int(address.rpartition(":")[2])
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={gcs}"),
        *("--temp-dir", str(temp), "--no-monitor", "--include-log-monitor=false", "--disable-usage-stats"),
        *("--log-style=record", "--log-color=false"),
        *(f"--num-cpus={capacity.cpu_milli / 1000:g}", f"--num-gpus={len(capacity.gpus)}"),
        *(f"--memory={capacity.memory_bytes}", f"--object-store-memory={OBJECT_STORE_BYTES}"),
        *(f"--include-dashboard={str(has_dashboard).lower()}", f"--dashboard-port={dashboard}"),
        *(f"--ray-client-server-port={client}", "--dashboard-agent-listen-port=0"),
        *("--min-worker-port=0", "--max-worker-port=0"),
    ]
    try:
        _run_start(command, environ)
    except UnavailableError:
        stop_head(temp, patience_seconds=0)
        raise
    return HeadAddress(
        gcs=f"127.0.0.1:{gcs}", dashboard=f"http://127.0.0.1:{dashboard}" if has_dashboard else None
    )


def _run_start(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run `ray start` to its end. Raises UnavailableError.

    For a server that died while it starts it would wait two minutes, so it is ended as soon as one is seen dead.
    """
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as starter,
    ):
        servers: set[psutil.Process] = set()
        while (code := _exit_code(starter)) is None:
            servers.update(_servers_below(starter.pid))
            if not all(map(is_running, servers)):
                starter.kill()
                raise UnavailableError("Ray did not start: one of its servers died meanwhile")
        if code:
            output.seek(0)
            words = _last_words(output.read().decode("utf-8", "replace"))
            raise UnavailableError(f"Ray did not start (exit code {code}): {words}")


def _exit_code(starter: subprocess.Popen[bytes]) -> int | None:
    """Return it, or None for a start that goes on for another moment."""
    try:
        return starter.wait(START_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _servers_below(starter: int) -> list[psutil.Process]:
    """Return Ray's own servers that a start has made by now, dead ones included where its system keeps them."""
    try:
        return [p for p in psutil.Process(starter).children(recursive=True) if _ray_server(p) in SERVERS]
    except psutil.Error:
        return []


def connect(address: str) -> Any:
    """Make this process a driver of the Ray at `address`; return the `ray` module.

    Ray itself retries a dead address for minutes, so the address is tried first.
    """
    _await_listener(address)
    return _joined(address)


def join(address: str) -> Any:
    """Make this process a driver of a Ray that is up, "auto" for the one of this machine. Return `ray`.

    Raises UnavailableError in words when there is none, or when it refuses our token.
    """
    check_token(address)
    return _joined(address)


def _joined(address: str) -> Any:
    import ray

    try:
        _init(ray, address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(f"the Ray at {address} cannot be joined: {error}") from error
    return ray


def labels_of(node: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the labels of a node as `ray.nodes()` has it, `ray start --labels` and Ray's own, less its id."""
    labels: Mapping[str, str] = node.get("Labels") or {}
    return tuple(sorted((key, value) for key, value in labels.items() if key != "ray.io/node-id"))


def answers(address: str) -> bool:
    """Whether something listens at `host:port`."""
    host, _, port = address.rpartition(":")
    with closing(socket.socket()) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, int(port))) == 0


def _init(ray: Any, address: str) -> None:
    ray.init(
        address=address,
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )


def servers_of(temp: Path) -> list[psutil.Process]:
    """Return both of Ray's own servers of this head; nothing unless both of them run."""
    named = {_ray_server(process): process for process in _processes_of(temp)}
    return [named[name] for name in SERVERS] if named.keys() >= set(SERVERS) else []


def server_of(temp: Path, name: str) -> psutil.Process | None:
    """Return one of Ray's own servers of this head, if it runs."""
    return next((p for p in _processes_of(temp) if _ray_server(p) == name and is_running(p)), None)


def is_running(server: psutil.Process) -> bool:
    """Whether a process that was found before still runs."""
    try:
        return server.is_running() and server.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop_head(temp: Path, *, patience_seconds: float = STOP_SECONDS) -> None:
    """End every Ray process of the head whose temporary folder is `temp`, and nothing else.

    Those that have not ended by themselves within `patience_seconds` are killed.
    """
    processes = list(_processes_of(temp))
    for process in sorted(processes, key=lambda p: _ray_server(p) == "gcs_server"):
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(processes, timeout=patience_seconds)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


def _processes_of(temp: Path) -> Iterator[psutil.Process]:
    """Ray's servers carry the folder in their arguments; workers rename themselves but hang below the raylet.

    The server for Ray Client carries nothing but the address of the GCS, which it outlives by a minute.
    """
    needle = re.compile(re.escape(str(temp)) + r"(?=[/\\ ]|$)")
    lines = {p: " ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["pid", "cmdline"])}
    found: dict[int, psutil.Process] = {}
    for process, line in lines.items():
        if process.pid != os.getpid() and "ray" in line and needle.search(line):
            found[process.pid] = process
            if _ray_server(process) == "raylet":
                found.update({p.pid: p for p in _descendants(process)})
            elif _ray_server(process) == "gcs_server" and (port := _GCS_PORT.search(line)):
                address = f"--address=127.0.0.1:{port[1]} "
                clients = (p for p, other in lines.items() if _RAY_CLIENT in other and address in other)
                found.update({p.pid: p for p in clients})
    yield from found.values()


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _ray_server(process: psutil.Process) -> str:
    try:
        return process.name().removesuffix(".exe")
    except psutil.Error:
        return ""


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        pass


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _await_listener(address: str) -> None:
    end = time.monotonic() + LISTEN_SECONDS
    while not answers(address):
        if time.monotonic() > end:
            raise UnavailableError(f"no Ray answers at {address}")
        time.sleep(0.05)


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-5:]) or "it said nothing"
