"""The notifier: reads which runs and batches ended, and tells whom it concerns, beside everything else.

It reads events as the hub hands them on, so what it does costs no run anything. What is to be told lies on disk before
the events count as read; a server that is killed goes on where it was. A webhook is tried again with longer and longer
pauses, at least once delivered or given up; a command is started once and never again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from runyard.server.notice import message, target
from runyard.server.notice.command import run_command, show_on_desktop
from runyard.server.notice.failure import NotToldError
from runyard.server.notice.pending import Mark, Notice, Pending
from runyard.server.notice.webhook import ANSWER_SECONDS, call_webhook
from runyard_cluster.errors import RunyardError

if TYPE_CHECKING:
    import httpx

    from runyard.server.context import Context

log = logging.getLogger("runyard.server")

#: Events that may be the end of a run or a batch.
KINDS = frozenset({"run_ended", "batch_closed"})
#: Events of a storm gather for so long, and are told of together.
GATHER_SECONDS = 0.1
#: Events read at once when a server catches up.
PAGE = 500
#: While nobody is to be told, how far the events were read is noted this often.
MARK_SECONDS = 5.0
#: Notices under way at once.
AT_ONCE = 4
#: Tries of one webhook: the pauses between them are 2 s, four times as long each, an hour at most.
TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 3600.0
#: Who is to be told within so many seconds is waited for before an embedded server leaves.
SOON_SECONDS = 3.0
#: Pause after a fault of the store or of the disk.
RETRY_SECONDS = 1.0


class Notifier:
    """One server's. `run` is to be awaited for the server's whole life."""

    def __init__(self, context: Context) -> None:
        self._here = context
        self._pending = Pending(context.data_dir.notices)
        self._mark = Mark()
        self._news: deque[Mapping[str, Any]] = deque()
        self._has_news = asyncio.Event()
        self._waiting: dict[str, Notice] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._failing: set[target.Target] = set()
        self._client: httpx.AsyncClient | None = None
        self._has_begun = False
        self._noted_at = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether somebody is being told, or is to be told in a moment."""
        soon = time.time() + SOON_SECONDS
        return bool(self._news or self._under_way) or any(n.due <= soon for n in self._waiting.values())

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Take an event that the hub hands on."""
        self._news.append(event)
        self._has_news.set()

    async def keep_mark(self) -> None:
        """Note how far the events were read."""
        await asyncio.to_thread(self._pending.set_mark, self._mark)

    async def run(self) -> None:
        """Tell of ends, for ever."""
        try:
            while True:
                try:
                    await self._step()
                except (RunyardError, OSError) as error:
                    log.warning("nobody can be told of ends for now: %s", error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            if self._has_begun:
                with suppress(OSError):
                    await self.keep_mark()
            if self._client is not None:
                await self._client.aclose()

    async def _step(self) -> None:
        if not self._has_begun:
            await self._begin()
            self._has_begun = True
        elif self._news:
            await asyncio.sleep(GATHER_SECONDS)
            news = list(islice(self._news, PAGE))
            await self._take(news)
            for _ in news:
                self._news.popleft()
        self._tell_who_is_due()
        if not self._news:
            await self._wait()

    async def _begin(self) -> None:
        """Go on where the last server was. The first one begins with what ends from now on."""
        self._waiting = {n.id: n for n in await asyncio.to_thread(list, self._pending.notices())}
        self._mark = await asyncio.to_thread(self._pending.mark)
        newest = await asyncio.to_thread(self._here.reader.last_seq)
        if self._mark.seq is None or self._mark.seq > newest:
            self._mark.seq = newest
        while self._mark.seq < newest:
            events = await asyncio.to_thread(self._here.reader.events, self._mark.seq, PAGE)
            if not events:
                break
            await self._take(events)
            self._mark.seq = events[-1]["seq"]
        await asyncio.to_thread(self._pending.set_mark, self._mark)

    async def _take(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Keep whom to tell of what ended by these events, and that they are read."""
        seq = self._mark.seq or 0
        new = [e for e in events if e["seq"] > seq and e["kind"] in KINDS]
        if not new:
            return
        notices = [n for n in await self._notices(new) if n.id not in self._waiting]
        await asyncio.to_thread(self._pending.put, notices)
        self._waiting |= {n.id: n for n in notices}
        for each in notices:
            if batch := each.message.get("batch"):
                # The newest ones are kept, so it goes to the end.
                self._mark.batches.pop(batch["batch_id"], None)
                self._mark.batches[batch["batch_id"]] = batch["ended_at"]
        self._mark.seq = new[-1]["seq"]
        if notices or time.monotonic() - self._noted_at > MARK_SECONDS:
            self._noted_at = time.monotonic()
            await asyncio.to_thread(self._pending.set_mark, self._mark)

    async def _notices(self, events: Sequence[Mapping[str, Any]]) -> list[Notice]:
        settings, modules = self._here.settings, await self._here.modules()
        ended = {e["run_id"]: e["seq"] for e in events if e["kind"] == "run_ended"}
        runs = await self._runs(events) if target.wants_runs(settings, modules) else {}
        notices: list[Notice] = []
        for run_id, seq in ended.items():
            if (run := runs.get(run_id)) and (told := target.of_run(run, settings, modules)):
                notices += _each(f"{seq:012}-{run_id}", told, message.of_run(run))
        for batch_id in dict.fromkeys(e["batch_id"] for e in events if e["batch_id"] is not None):
            notices += await asyncio.to_thread(self._of_batch, batch_id, events[-1]["seq"], modules)
        return notices

    async def _runs(self, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Return the runs that ended, by id: as the hub handed them on, else as they are stored."""
        ended = [e for e in events if e["kind"] == "run_ended"]
        known = {e["run_id"]: e["run"] for e in ended if e.get("run")}
        missing = [e["run_id"] for e in ended if e["run_id"] not in known]
        return known | await asyncio.to_thread(self._here.reader.runs_by_id, missing) if missing else known

    def _of_batch(self, batch_id: str, seq: int, modules: Mapping[str, Any]) -> list[Notice]:
        reader, settings = self._here.reader, self._here.settings
        own = target.wishes(reader.batch_wishes(batch_id))
        if not (own.on_end or own.webhook or target.wants_batches(settings, modules)):
            return []
        batch = reader.batch(batch_id)
        if (
            batch is None
            or batch["ended_at"] is None
            or self._mark.batches.get(batch_id) == batch["ended_at"]
        ):
            return []
        told = target.of_batch(own, settings, modules, reader.modules_of_batch(batch_id, target.MODULES))
        failures = reader.batch_failures(batch_id)
        return list(_each(f"{seq:012}-{batch_id}", told, message.of_batch(batch, failures)))

    def _tell_who_is_due(self) -> None:
        now = time.time()
        for notice in list(self._waiting.values()):
            if len(self._under_way) >= AT_ONCE:
                return
            if notice.due <= now:
                del self._waiting[notice.id]
                task = asyncio.get_running_loop().create_task(self._tell(notice), name=f"tell {notice.id}")
                self._under_way.add(task)
                task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._has_news.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _wait(self) -> None:
        dues = [n.due for n in self._waiting.values()] if len(self._under_way) < AT_ONCE else []
        seconds = max(0.0, min(dues) - time.time()) if dues else None
        try:
            async with asyncio.timeout(seconds):
                await self._has_news.wait()
        except TimeoutError:
            return
        self._has_news.clear()

    async def _tell(self, notice: Notice) -> None:
        notice.tries += 1
        try:
            await self._deliver(notice)
        except NotToldError as error:
            await self._on_failure(notice, error)
        else:
            self._failing.discard(notice.target)
            await asyncio.to_thread(self._pending.remove, notice)

    async def _deliver(self, notice: Notice) -> None:
        if notice.target.kind == "webhook":
            secret = self._here.settings.webhook_secret
            await call_webhook(self._http(), notice, secret)
            return
        # Started once: what it did before a crash cannot be undone by doing it again.
        await asyncio.to_thread(self._pending.remove, notice)
        if notice.target.kind == "desktop":
            await show_on_desktop(message.title(notice.message), message.text(notice.message))
        else:
            environ = {"RUNYARD_DATA_DIR": str(self._here.data_dir.path)}
            await run_command(notice, str(self._here.home), environ)

    async def _on_failure(self, notice: Notice, error: NotToldError) -> None:
        if not error.is_final and notice.tries < TRIES:
            pause = min(FIRST_PAUSE * 4 ** (notice.tries - 1), LONGEST_PAUSE)
            notice.due = time.time() + pause
            await asyncio.to_thread(self._pending.put, [notice])
            self._waiting[notice.id] = notice
            return
        await asyncio.to_thread(self._pending.remove, notice)
        tries = f", tried {notice.tries} times" if notice.tries > 1 else ""
        words = f"{notice.target.shown()} could not be told: {error}{tries}"
        if notice.target in self._failing:
            log.debug("%s", words)
            return
        # Once, until it works again: a thousand ends would say the same a thousand times.
        self._failing.add(notice.target)
        log.warning("%s", words)
        subject = notice.message.get("run") or notice.message["batch"]
        try:
            await self._here.manager.note_notice(subject.get("run_id"), subject["batch_id"], words)
        except RunyardError as fault:
            log.warning("that cannot be shown: %s", fault)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False)
        return self._client


def _each(name: str, targets: Iterable[target.Target], said: message.Message) -> Iterable[Notice]:
    return (Notice(f"{name}-{number}", each, said) for number, each in enumerate(targets))
