"""Ship: a snapshot of code reaches another node before the first run that starts from it there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.yard import Yard, log
from runyard_cluster.code import archive_name
from runyard_cluster.errors import UnavailableError

#: Bytes that are sent at once, and the pause before it is tried again, in seconds.
PART_BYTES = 4 << 20
RETRY_SECONDS = 1.0


async def ship_code(yard: Yard, attempt: ActiveRun, node: OtherNode) -> None:
    """Return once the node has what the attempt starts from, however long that cannot be sent.

    What is not here any more cannot be sent; the attempt then fails over there, in words.
    """
    spec = attempt.spec
    if spec is None or spec.code is None or node.sees_data_dir:
        return
    archive = yard.data_dir.code / archive_name(spec.code.digest)
    async with node.shipping.setdefault(spec.code.digest, asyncio.Lock()):
        while not await _is_sent(node, spec.code.digest, archive):
            await asyncio.sleep(RETRY_SECONDS)
            await node.line.is_open.wait()


async def _is_sent(node: OtherNode, digest: str, archive: Path) -> bool:
    try:
        if not await node.line.ask("has_code", digest):
            await _send(node, digest, archive)
    except UnavailableError as error:
        log.warning("code is not sent to %s: %s; it is sent again", node.name, error)
        return False
    except OSError as error:
        log.error("the snapshot %s cannot be read: %s", archive, error.strerror)
    return True


async def _send(node: OtherNode, digest: str, archive: Path) -> None:
    at, size = 0, (await asyncio.to_thread(archive.stat)).st_size
    while at < size:
        data = await asyncio.to_thread(_part, archive, at)
        at += len(data)
        await node.line.ask("put_code", digest, at - len(data), data, at >= size)


def _part(archive: Path, offset: int) -> bytes:
    with archive.open("rb") as file:
        file.seek(offset)
        return file.read(PART_BYTES)
