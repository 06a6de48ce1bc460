"""The data folder: the one place that knows where its files lie."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from runyard_cluster.database_url import Where
from runyard_cluster.errors import UnavailableError
from runyard_cluster.files import create_exclusively

#: The longest temporary folder below which Ray's sockets still get names that systems take: Ray adds 87 bytes
#: to it and what is ours, macOS takes 103.
_LONGEST_TEMP = 15
_SHARED_TEMP = "/tmp"  # noqa: S108 - a folder of our own is made in it, and checked

#: Where no hard links can be made, a secret may for a moment be there without its text.
_SECRET_SECONDS = 0.5


def default_data_dir() -> Path:
    """Return the user's own data folder for runyard on this system."""
    import platformdirs

    return platformdirs.user_data_path("runyard", appauthor=False)


@dataclass(frozen=True, slots=True)
class DataDir:
    """A data folder: the store, the run folders, the tokens, and what tells where the server listens."""

    path: Path
    #: The store, where it shall not lie in the folder itself.
    database_place: Where | None = None

    @property
    def database(self) -> Where:
        """The store."""
        return self.database_place or self.path / "runyard.db"

    @property
    def runs(self) -> Path:
        """The folders of all attempts."""
        return self.path / "runs"

    @property
    def code(self) -> Path:
        """Snapshots of the code that runs were submitted with."""
        return self.path / "code"

    @property
    def backups(self) -> Path:
        """Copies of the store: the daily ones, and those made before it is migrated."""
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
    def notices(self) -> Path:
        """Whom is still to be told of what ended."""
        return self.path / "notices"

    @property
    def paused_file(self) -> Path:
        """There while no run may start."""
        return self.path / "paused"

    @property
    def drained_file(self) -> Path:
        """The names of nodes on which no run may start, as JSON."""
        return self.path / "drained.json"

    @property
    def server_log(self) -> Path:
        """What a server in the background has to say."""
        return self.path / "server.log"

    @property
    def ray_temp(self) -> Path:
        """Ray's temporary folder: short, since the path of a socket may have 107 bytes only."""
        name = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:8]
        return Path(_short_temp(), f"runyard-{_user()}", name)

    @property
    def manager_socket(self) -> Path:
        """Where the manager takes calls of the server's; beside Ray's folder, as this path has to be short, too."""
        return self.ray_temp.with_suffix(".sock")

    def create(self) -> None:
        """Make the folder, and the one of Ray's files, private to their owner.

        Raises UnavailableError when they cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.runs.mkdir(mode=0o700, exist_ok=True)
            if isinstance(self.database, Path):
                self.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as error:
            words = f"the data folder {self.path} cannot be made: {error.filename} is there and no folder"
            raise UnavailableError(words) from error
        except OSError as error:
            raise UnavailableError(f"the data folder {self.path} cannot be made: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise UnavailableError(f"the data folder {self.path} cannot be written; check its permissions")
        # Ray keeps its sockets below this, where all users of the machine may write.
        _make_private(self.ray_temp.parent)

    def token(self) -> str:
        """Return the server's token; made on first use, readable by the owner only.

        Raises UnavailableError when it can neither be read nor made.
        """
        return _secret(self.token_file, secrets.token_urlsafe(32))

    def ray_token(self) -> str:
        """Return Ray's token, likewise."""
        return _secret(self.ray_token_file, secrets.token_hex(32))


def _make_private(folder: Path) -> None:
    """Make a folder beside those of other users. One that somebody else made first could be read or replaced."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode)):
            raise UnavailableError(f"{folder} is somebody else's; remove it, or set TMPDIR to another folder")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise UnavailableError(f"the folder {folder} cannot be made: {error.strerror}") from error


def _secret(path: Path, fresh: str) -> str:
    try:
        if not path.exists():
            create_exclusively(path, fresh.encode())
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        return _written(path)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"the secret in {path} cannot be read or made: {error}") from error


def _written(path: Path) -> str:
    end = time.monotonic() + _SECRET_SECONDS
    while not (text := path.read_text("utf-8").strip()):
        if time.monotonic() > end:
            raise ValueError("the file is empty; remove it, and a new one is made")
        time.sleep(0.01)
    return text


def _short_temp() -> str:
    own = tempfile.gettempdir()
    needs_other = hasattr(os, "getuid") and len(os.fsencode(own)) > _LONGEST_TEMP
    return _SHARED_TEMP if needs_other and os.access(_SHARED_TEMP, os.W_OK | os.X_OK) else own


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
