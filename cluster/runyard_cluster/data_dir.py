"""The data folder: the one place that knows where its files lie."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runyard_cluster.errors import UnavailableError
from runyard_cluster.files import create_exclusively


def default_data_dir() -> Path:
    """Return the user's own data folder for runyard on this system."""
    import platformdirs

    return platformdirs.user_data_path("runyard", appauthor=False)


@dataclass(frozen=True, slots=True)
class DataDir:
    """A data folder: the store, the run folders, the tokens, and what tells where the server listens."""

    path: Path

    @property
    def database(self) -> Path:
        """The store."""
        return self.path / "runyard.db"

    @property
    def runs(self) -> Path:
        """The folders of all attempts."""
        return self.path / "runs"

    @property
    def backups(self) -> Path:
        """Copies of the store, made before it is migrated."""
        return self.path / "backups"

    @property
    def token_file(self) -> Path:
        """The token that callers of the server show."""
        return self.path / "token"

    @property
    def ray_token_file(self) -> Path:
        """The token that Ray's processes show each other."""
        return self.path / "ray-token"

    @property
    def server_file(self) -> Path:
        """Where the running server listens, as JSON; there only while it is ready."""
        return self.path / "server.json"

    @property
    def server_lock(self) -> Path:
        """Locked by the running server for all of its life."""
        return self.path / "server.lock"

    @property
    def server_log(self) -> Path:
        """What a server in the background has to say."""
        return self.path / "server.log"

    @property
    def ray_temp(self) -> Path:
        """Ray's temporary folder: short, since the path of a socket may have 107 bytes only."""
        name = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir(), f"runyard-{_user()}", name)

    def create(self) -> None:
        """Make the folder, private to its owner. Raises UnavailableError when it can't be written."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.runs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"the data folder {self.path} cannot be made: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise UnavailableError(f"the data folder {self.path} cannot be written; check its permissions")

    def token(self) -> str:
        """Return the server's token; made on first use, readable by the owner only."""
        return _secret(self.token_file, secrets.token_urlsafe(32))

    def ray_token(self) -> str:
        """Return Ray's token; made on first use, readable by the owner only."""
        return _secret(self.ray_token_file, secrets.token_hex(32))


def _secret(path: Path, fresh: str) -> str:
    if not path.exists():
        create_exclusively(path, fresh.encode())
    return path.read_text("utf-8").strip()


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
