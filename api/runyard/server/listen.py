"""Where the server listens: on this machine only, unless TLS or an explicit word opens it to the network."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from runyard.server.security import ANY_ADDRESS
from runyard_cluster.errors import ConflictError, InvalidRequestError

#: A caller that takes nothing of what was sent to it for so long is hung up on: it is stuck, or its network is gone.
UNREAD_SECONDS = 120
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate, with those it is signed by, and its private key; both as PEM files."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raise InvalidRequestError when a handshake could not be done with them."""
        for path, option in ((self.certificate, "--tls-cert"), (self.key, "--tls-key")):
            if not path.is_file():
                raise InvalidRequestError(f"{option}: there is no file {path}")
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise InvalidRequestError(
                f"{self.certificate} and {self.key} are no certificate and its key: {reason}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on, with TLS or without. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: Tls | None = None
    is_insecure: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self._bare_host).is_loopback
        except ValueError:
            return False

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address of the machine."""
        try:
            return ip_address(self._bare_host).is_unspecified
        except ValueError:
            return False

    def check(self) -> None:
        """Raise InvalidRequestError for an address that strangers could read from, or TLS files that do not fit."""
        if self.tls is not None:
            self.tls.check()
        elif not self.is_loopback and not self.is_insecure:
            raise InvalidRequestError(
                f"{self.host} can be reached from the network. Whoever reads the token on its way can run any "
                "program here as you. Give --tls-cert and --tls-key; or listen on 127.0.0.1, behind a proxy "
                "with TLS; or, on a network where you trust every machine, say --insecure"
            )

    def open(self) -> socket.socket:
        """Return a socket bound to the address. Raises ConflictError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # The protocol is named, or asyncio would not switch off Nagle's delay, which costs 40 ms an answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _hang_up_on_the_deaf(listener)
        try:
            listener.bind((self._bare_host, self.port))
        except OSError as error:
            listener.close()
            raise ConflictError(
                f"cannot listen on {self.host}:{self.port}: {error.strerror or error}; choose another --port"
            ) from error
        return listener

    def url(self, port: int) -> str:
        """Return the address for people and programs; for a machine's every address it names the machine."""
        scheme = "https" if self.tls else "http"
        if self.is_everywhere:
            return f"{scheme}://{socket.gethostname() if self.tls else LOOPBACK[0]}:{port}"
        return f"{scheme}://{self._url_host}:{port}"

    def names(self) -> set[str]:
        """Return the names that a request may be addressed to."""
        if self.is_loopback:
            return {*LOOPBACK, self._url_host}
        own = {socket.gethostname(), socket.getfqdn()}
        return {*LOOPBACK, self._url_host, *own, *({ANY_ADDRESS} if self.is_everywhere else ())}

    @property
    def _bare_host(self) -> str:
        return self.host.strip("[]")

    @property
    def _url_host(self) -> str:
        return f"[{self._bare_host}]" if ":" in self.host else self.host


def _hang_up_on_the_deaf(listener: socket.socket) -> None:
    """Have the system end connections whose other side reads no more; accepted ones inherit it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_SECONDS * 1000)
