"""Many listeners of `/api/events` in a process of their own: each counts what it hears, and what it misses.

    python -m tests.benchmarks.load_listeners URL COUNT

The token comes as the first line of the input. Once all listen, the number of the last event before that is printed;
a number on the second line is the last event that is waited for, and then each listener's account is printed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

#: A listener that has not heard the last event by then is reported as it stands.
LAST_SECONDS = 60.0
#: What the server asks for with its first words.
RETRY_SECONDS = 1.0


@dataclass(slots=True)
class Account:
    """What one listener heard: numbers of stored events, how often again, and usage, which is not stored."""

    opened: int = -1
    last: int = -1
    count: int = 0
    usage: int = 0
    repeated: int = 0
    connections: int = 0


async def listen(url: str, token: str, account: Account) -> None:
    """Listen for ever; whoever is let go comes again after a second, and resumes after the last event it heard."""
    while True:
        account.connections += 1
        try:
            await listen_once(url, token, account)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            await asyncio.sleep(RETRY_SECONDS)


async def listen_once(url: str, token: str, account: Account) -> None:
    """Listen for as long as the server lets us."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1 << 20)
    resumed = f"Last-Event-ID: {account.last}\r\n" if account.last >= 0 else ""
    head = f"Host: {address.hostname}\r\nAuthorization: Bearer {token}\r\n{resumed}"
    writer.write(f"GET /api/events HTTP/1.1\r\n{head}\r\n".encode())
    try:
        await reader.readuntil(b"\r\n\r\n")
        while size := int(await reader.readuntil(b"\r\n"), 16):
            hear((await reader.readexactly(size + 2))[:-2], account)
    finally:
        writer.close()


def hear(chunk: bytes, account: Account) -> None:
    """Take note of whole events, as they come."""
    for event in chunk.split(b"\n\n"):
        if event.startswith(b"event: usage"):
            account.usage += 1
        elif event.startswith(b"retry: "):
            if account.opened < 0:
                account.opened = account.last = int(event.partition(b"id: ")[2].partition(b"\n")[0])
        elif event.startswith(b"id: "):
            note(int(event[4 : event.index(b"\n")]), account)


def note(seq: int, account: Account) -> None:
    """Count an event, unless it was heard before."""
    if seq <= account.last:
        account.repeated += 1
        return
    account.last = seq
    account.count += 1


async def main() -> None:
    """Listen until told how far."""
    url, count = sys.argv[1], int(sys.argv[2])
    token = sys.stdin.readline().strip()
    accounts = [Account() for _ in range(count)]
    listeners = [asyncio.create_task(listen(url, token, account)) for account in accounts]
    while any(account.opened < 0 for account in accounts):
        await asyncio.sleep(0.05)
    print(max(account.opened for account in accounts), flush=True)
    last = int(await asyncio.to_thread(sys.stdin.readline))
    end = asyncio.get_running_loop().time() + LAST_SECONDS
    while any(account.last < last for account in accounts) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)
    print(json.dumps([asdict(account) for account in accounts]), flush=True)
    for each in listeners:
        each.cancel()


if __name__ == "__main__":
    asyncio.run(main())
