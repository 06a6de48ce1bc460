"""Ray's token: whether a Ray takes ours, and that its file stays as it is.

Asked of Ray itself, it tries for 20 seconds before it says why not, and ends the process where there is no token.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.files import durable_replace

log = logging.getLogger("runyard.ray")

#: A GCS answers in milliseconds; one that does not answer within this is left to Ray, which says why.
ASK_SECONDS = 3.0
#: What every GCS answers, and answers with a refusal to who shows another token than its own.
_QUESTION = "/ray.rpc.NodeInfoGcsService/CheckAlive"


def check_token(address: str, environ: Mapping[str, str] = os.environ) -> None:
    """Return if the Ray at `host:port` takes the token of this environment, or if that cannot be told.

    Raises UnavailableError with what to look at if it refuses, or if there is none though there has to be.
    """
    token = _token(environ)
    if token is None and environ.get("RAY_AUTH_MODE") == "token":
        raise UnavailableError(
            f"RAY_AUTH_MODE is token, and there is no token in {_place(environ)}; put there the one of the cluster"
        )
    if address != "auto" and _is_refused(address, token):
        shown = f"the token in {_place(environ)}" if token else "that nobody shows it a token"
        raise UnavailableError(
            f"the Ray at {address} cannot be joined: it refuses {shown}; RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH, "
            "a file with the cluster's token, let it be joined"
        )


class TokenKeeper:
    """Keeps the file with the token of our own Ray as it is: each new worker reads it, and this Ray takes no other."""

    def __init__(self, data_dir: DataDir) -> None:
        """Take the token that is there, or make one. Raises UnavailableError."""
        self._data_dir = data_dir
        self._token = data_dir.ray_token()

    def keep(self) -> None:
        """Write the token again where somebody removed or changed its file. Raises UnavailableError."""
        file = self._data_dir.ray_token_file
        if _read(file) == self._token:
            return
        try:
            durable_replace(file, self._token.encode())
        except OSError as error:
            raise UnavailableError(f"Ray's token cannot be written into {file}: {error.strerror}") from error

    def keep_if_possible(self) -> None:
        """Likewise, and say so."""
        before = _read(self._data_dir.ray_token_file)
        try:
            self.keep()
        except UnavailableError as error:
            log.error("%s; nothing new can start", error)
            return
        if before != self._token:
            log.warning("somebody removed or changed %s; it is as it was", self._data_dir.ray_token_file)


def _is_refused(address: str, token: str | None) -> bool:
    import grpc

    shown = (("authorization", f"Bearer {token}"),) if token else ()
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(_QUESTION, request_serializer=None, response_deserializer=None)
        try:
            ask(b"", timeout=ASK_SECONDS, metadata=shown)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNAUTHENTICATED)
    return False


def _token(environ: Mapping[str, str]) -> str | None:
    return environ.get("RAY_AUTH_TOKEN") or _read(_file(environ)) or None


def _place(environ: Mapping[str, str]) -> str:
    return "RAY_AUTH_TOKEN" if environ.get("RAY_AUTH_TOKEN") else str(_file(environ))


def _file(environ: Mapping[str, str]) -> Path:
    path = environ.get("RAY_AUTH_TOKEN_PATH")
    return Path(path) if path else Path.home() / ".ray" / "auth_token"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""
