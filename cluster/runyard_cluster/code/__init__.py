"""Code that is shipped: a folder as it was at one moment, kept by its content, and unpacked where a run needs it."""

from runyard_cluster.code.commit import keep_commit, kept_commit
from runyard_cluster.code.mapping import mapped, mapped_words
from runyard_cluster.code.snapshot import Limits, archive_name, take_snapshot
from runyard_cluster.code.unpack import forget_unchanged, unpack

__all__ = [
    "Limits",
    "archive_name",
    "forget_unchanged",
    "keep_commit",
    "kept_commit",
    "mapped",
    "mapped_words",
    "take_snapshot",
    "unpack",
]
