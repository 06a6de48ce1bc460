"""What keeps the history ready goes on whatever the store answers."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from runyard.server import history
from runyard_actors.store import RunFilter, StoreReader, StoreWriter
from tests.unit.store.making import life, specs, submitted


class CountingReader(StoreReader):
    """A reader that tells how often it was made ready, and how often it could not be."""

    good = bad = 0

    def keep_ready(self) -> None:
        try:
            super().keep_ready()
        except Exception:
            self.bad += 1
            raise
        self.good += 1


def test_it_waits_for_a_database_outlives_a_broken_one_and_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FOLLOW_SECONDS", 0.01)
    path = tmp_path / "runyard.db"

    async def play(reader: CountingReader) -> None:
        async def until(condition: object) -> None:
            assert callable(condition)
            while not condition():
                await asyncio.sleep(0.005)

        task = asyncio.create_task(history.keep_ready(reader))
        # Given no database, and then a file that is none
        await until(lambda: reader.good > 1)
        path.write_bytes(b"no database at all" * 1000)
        await until(lambda: reader.bad > 1)
        # When there is one
        path.unlink()
        with closing(StoreWriter(path)) as writer:
            (run,) = specs(1)
            writer.write([submitted([run]), *life(run)]).result()
            begun = reader.good
            await until(lambda: reader.good > begun + 1)
        # Then it is ready, and the task goes on
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with closing(CountingReader(path)) as reader:
        asyncio.run(asyncio.wait_for(play(reader), 20))
        assert reader.runs(RunFilter(sort="duration"))[1] == 1
