"""Snapshot: a folder's files as they are now, in one archive that is called by its content."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard_cluster.code.ignore import Rule, first_rules, is_ignored, rules_in
from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.sizes import format_size

#: How many of the largest things in a folder that is too large are named.
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a snapshot may have at most."""

    size_bytes: int
    files: int = 20_000


@dataclass(frozen=True, slots=True)
class _Found:
    """A file, a link or a folder. `name` is its path within the root."""

    name: str
    path: Path
    state: os.stat_result


def take_snapshot(root: Path, folder: Path, limits: Limits) -> str:
    """Keep what `root` holds in `folder`, and return its digest; equal content is kept once.

    Links are kept as links, and the folder above `folder`, where runs have their data, is left out. Raises
    InvalidRequestError for a folder that is too large, naming what to leave out, or that cannot be read.
    """
    rules = (*_rules(root, "", first_rules()), *_but(root, folder.parent))
    found = list(_within(root, rules, ""))
    _check(root, found, limits)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest = _write(file, root, found)
            file.flush()
            os.fsync(file.fileno())
        # Also where the same is there already: its age keeps what was just taken from being removed.
        part.replace(folder / archive_name(digest))
    finally:
        part.unlink(missing_ok=True)
    return digest


def archive_name(digest: str) -> str:
    """Return what a snapshot is called in a folder of snapshots."""
    return f"{digest}.tar"


def _within(folder: Path, rules: Sequence[Rule], base: str) -> Iterator[_Found]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InvalidRequestError(
            f"code cannot be shipped: {folder} cannot be read: {error.strerror}"
        ) from error
    for entry in entries:
        name = f"{base}/{entry.name}" if base else entry.name
        try:
            state = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # Somebody else's, who has removed it since.
        except OSError as error:
            words = f"code cannot be shipped: {folder / entry.name} cannot be read: {error.strerror}"
            raise InvalidRequestError(words) from error
        is_folder = stat.S_ISDIR(state.st_mode)
        if is_ignored(rules, name, is_folder=is_folder):
            continue
        path = folder / entry.name
        if is_folder or stat.S_ISREG(state.st_mode) or stat.S_ISLNK(state.st_mode):
            yield _Found(name, path, state)
        if is_folder:
            yield from _within(path, _rules(path, name, rules), name)


def _rules(folder: Path, base: str, above: Sequence[Rule]) -> Sequence[Rule]:
    own = rules_in(folder, base)
    return (*above, *own) if own else above


def _but(root: Path, data: Path) -> Sequence[Rule]:
    """Return the rule that leaves out the data folder, if it lies within."""
    try:
        name = data.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return ()
    return (Rule("", re.compile(re.escape(name)), True, False),)


def _check(root: Path, found: Sequence[_Found], limits: Limits) -> None:
    files = [each for each in found if not stat.S_ISDIR(each.state.st_mode)]
    size = sum(each.state.st_size for each in files)
    if size <= limits.size_bytes and len(files) <= limits.files:
        return
    sizes, counts = Counter[str](), Counter[str]()
    for each in files:
        first, slash, _ = each.name.partition("/")
        sizes[first + slash] += each.state.st_size
        counts[first + slash] += 1
    if size > limits.size_bytes:
        what = f"holds {format_size(size)}, and max_code_size is {format_size(limits.size_bytes)}"
        most = [f"{name} ({format_size(count)})" for name, count in sizes.most_common(_NAMED)]
    else:
        what = f"holds {len(files)} files, and at most {limits.files} are shipped"
        most = [f"{name} ({count} files)" for name, count in counts.most_common(_NAMED)]
    raise InvalidRequestError(
        f"code cannot be shipped: {root} {what}. Leave out what runs do not need, one pattern a line, in "
        f'{root / ".runyardignore"}; the most is in {", ".join(most)}. Or use `code = "shared"`'
    )


def _write(file: io.BufferedIOBase, root: Path, found: Sequence[_Found]) -> str:
    """Write the archive, equal for equal content; return its digest."""
    told = _Hashing(file)
    with tarfile.open(fileobj=told, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for each in found:
            try:
                _add(archive, each)
            except OSError as error:
                words = f"code cannot be shipped: {each.path} cannot be read: {error.strerror}"
                raise InvalidRequestError(f"{words}; leave it out in {root / '.runyardignore'}") from error
    return told.digest()


def _add(archive: tarfile.TarFile, each: _Found) -> None:
    info = tarfile.TarInfo(each.name)
    mode = each.state.st_mode
    info.mode = 0o700 if stat.S_ISDIR(mode) or mode & 0o100 else 0o600
    if stat.S_ISDIR(mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif stat.S_ISLNK(mode):
        info.type, info.linkname = tarfile.SYMTYPE, _target(each)
        archive.addfile(info)
    else:
        # Read first: a file that is being written may have another size by now.
        data = each.path.read_bytes()
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))


def _target(link: _Found) -> str:
    """Return where a link leads; one that leads out of the folder does so by its full path."""
    target = str(link.path.readlink())
    depth = link.name.count("/")
    is_inside = not Path(target).is_absolute() and Path(os.path.normpath(target)).parts.count("..") <= depth
    return target if is_inside else os.path.normpath(link.path.parent / target)


class _Hashing(io.RawIOBase):
    """Writes on, and reckons the digest of all that was written."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        block = bytes(data)  # type: ignore[call-overload] # any buffer
        self._hash.update(block)
        return self._file.write(block)

    def digest(self) -> str:
        """Return it in 32 hexadecimal digits: enough to tell snapshots apart, and short enough to read."""
        return self._hash.hexdigest()[:32]
