"""`runyard up` and `runyard down`: the server that stays, in the foreground or behind."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard.client import Client
from runyard.server.host import Ready, serve, taken
from runyard.server.listen import Listen, Tls
from runyard.yard import find, start_server
from runyard_cluster.data_dir import DataDir
from runyard_cluster.durations import format_duration
from runyard_cluster.errors import ConflictError, ConnectionFailedError, InvalidRequestError, SettingsError
from runyard_cluster.locate import locate
from runyard_cluster.process import is_locked
from runyard_cluster.server_record import running_server
from runyard_cluster.settings import Settings, load_settings

#: A server that was told to leave is gone within this; Ray's processes take most of it.
LEAVE_SECONDS = 60.0
#: Runs that were cancelled get this, in seconds, beside their grace.
END_SECONDS = 30.0
#: Runs that are named where some of many do not end.
NAMED_RUNS = 5
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `runyard up` was told; what is None comes from the settings."""

    host: str | None = None
    port: int | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    is_insecure: bool = False
    stops_runs: bool = False

    def listen(self, settings: Settings) -> Listen:
        """Return where to listen. Raises InvalidRequestError for half of what TLS needs."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise InvalidRequestError("--tls-cert and --tls-key go together; give both")
        return Listen(
            host=self.host or settings.host,
            port=settings.port if self.port is None else self.port,
            tls=Tls(certificate=self.tls_certificate.resolve(), key=self.tls_key.resolve())
            if self.tls_certificate and self.tls_key
            else None,
            is_insecure=self.is_insecure,
        )


def up(config: Path | None, options: UpOptions, detach: bool) -> int:
    """Serve until told to leave, or in the background; return the exit code.

    An embedded server in the way is asked to leave first: its runs go on and are taken over.
    Raises ConflictError when another server holds the data folder, InvalidRequestError for an open network.
    """
    settings = load_settings(config)
    listen = options.listen(settings)
    listen.check()
    data_dir = settings.data
    _make_way(data_dir, config)
    if detach:
        endpoint = start_server(data_dir, config, _as_arguments(listen, options.stops_runs))
        record = json.loads(data_dir.server_file.read_bytes())
        with Client(locate=lambda: endpoint) as client:
            page = client.login_link().replace(endpoint.url, record["public_url"], 1)
        _say_ready(Ready(url=record["public_url"], page=page, dashboard=record["dashboard"]), settings)
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    print("runyard: starting Ray and the RunManager …", file=sys.stderr)  # noqa: T201 a person waits for it
    serve(
        settings,
        is_embedded=False,
        listen=listen,
        on_ready=lambda ready: _say_ready(ready, settings),
        stops_runs=options.stops_runs,
    )
    return 0


def down(config: Path | None, cancel: bool) -> int:
    """Stop the server of the data folder; its runs go on unless `cancel`.

    Raises ConnectionFailedError, and ConflictError when runs or the server do not end.
    """
    data_dir = locate(config)
    client = find(config, None)
    if client is None:
        raise ConnectionFailedError(f"no server runs on {data_dir.path}")
    with client:
        if cancel:
            cancel_all(client, _grace_seconds(config))
        client.leave()
    _wait_gone(data_dir)
    return 0


def _as_arguments(listen: Listen, stops_runs: bool) -> list[str]:
    tls = ["--tls", str(listen.tls.certificate), str(listen.tls.key)] if listen.tls else []
    flags = {"--insecure": listen.is_insecure, "--stop-runs": stops_runs}
    return ["--up", listen.host, str(listen.port), *tls, *(flag for flag, is_set in flags.items() if is_set)]


def _make_way(data_dir: DataDir, config: Path | None) -> None:
    endpoint = running_server(data_dir)
    if endpoint is None:
        return
    if not endpoint.is_embedded:
        raise taken(data_dir)
    client = find(config, None)
    if client is not None:
        with client:
            client.leave()
        _wait_gone(data_dir)


def _wait_gone(data_dir: DataDir) -> None:
    end = time.monotonic() + LEAVE_SECONDS
    while is_locked(data_dir.server_lock):
        if time.monotonic() > end:
            raise ConflictError(f"the server on {data_dir.path} did not leave in {LEAVE_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


def cancel_all(client: Client, grace_seconds: float) -> None:
    """Cancel what has not ended, and wait until it has; nothing new starts meanwhile, and who had paused, has.

    Raises ConflictError naming what does not end with its grace.
    """
    was_paused = client.resources()["semaphore"]["is_paused"]
    client.pause()
    try:
        while left := client.runs(status=["queued", "running"], limit=1000)["runs"]:
            for run in left:
                with suppress(ConflictError):
                    client.cancel(run["run_id"], "the server was stopped with --cancel")
            _wait_ended(client, [run["run_id"] for run in left], grace_seconds + END_SECONDS)
    finally:
        if not was_paused:
            client.resume()


def _grace_seconds(config: Path | None) -> float:
    """Return what the settings say; a file that is broken by now keeps nobody from stopping its server."""
    try:
        return load_settings(config).grace
    except SettingsError:
        return float(Settings.model_fields["grace"].default)


def _wait_ended(client: Client, run_ids: Sequence[str], seconds: float) -> None:
    try:
        client.wait(run_ids, seconds)
    except TimeoutError:
        left = client.runs(status=["queued", "running"], limit=1000)["runs"]
        if left:
            raise ConflictError(_still_ending(left, seconds)) from None


def _still_ending(runs: Sequence[Mapping[str, Any]], seconds: float) -> str:
    named = [f"{run['run_id']} on {run['node']}" if run["node"] else run["run_id"] for run in runs]
    more = f" and {len(runs) - NAMED_RUNS} more" if len(runs) > NAMED_RUNS else ""
    return (
        f"{len(runs)} cancelled runs have not ended after {format_duration(seconds)}: "
        f"{', '.join(named[:NAMED_RUNS])}{more}; the server goes on. `runyard show RUN` tells what keeps one, as a "
        "node that is away or a program that cannot be killed. Try again later, or stop the server alone with "
        "`runyard down`: they end without it"
    )


def _say_ready(ready: Ready, settings: Settings) -> None:
    lines = [f"page       {ready.page}", f"API        {ready.url}/api", f"data       {settings.data_dir}"]
    if ready.dashboard:
        lines.append(f"Ray        {ready.dashboard}")
    print("\n".join(["runyard is ready", *(f"  {line}" for line in lines)]), flush=True)  # noqa: T201 the answer
