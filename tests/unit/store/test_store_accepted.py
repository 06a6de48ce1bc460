"""What a submit answers without reading is what a read would have answered."""

from __future__ import annotations

import json

from runyard_actors.request import Request
from runyard_actors.run import BatchId, RunId
from runyard_actors.store import StoreReader, StoreWriter
from runyard_actors.store.present import accepted_json
from tests.unit.store.making import AT, specs, submitted


def test_an_accepted_run_is_shown_as_the_store_shows_it(writer: StoreWriter, reader: StoreReader) -> None:
    plain = specs(1)
    full = specs(
        1,
        command=("python", "train.py", "--lr", "0.1"),
        args_from=2,
        env={"B": "2", "A": "1"},
        request=Request(cpu_milli=1500, gpu_milli=250, memory_bytes=2**30, gpu_memory_bytes=2**31),
        timeout_seconds=1.5,
        priority=-3,
        labels={"k": "v"},
        max_retries=2,
        retry_on_out_of_memory=1.5,
        memory_retries=1,
        max_concurrent=4,
        after=(plain[0].run_id,),
        batch_id=BatchId("B"),
        batch_index=7,
        restarted_from=RunId("before"),
    )
    for runs in (plain, full):
        writer.write([submitted(runs)]).result()
        shown, expected = accepted_json(runs[0], AT), reader.run(runs[0].run_id)
        assert expected is not None
        assert shown.keys() == expected.keys()
        age, expected_age = shown.pop("queued_seconds"), expected.pop("queued_seconds")
        assert 0 <= expected_age - age < 1 or 0 <= age - expected_age < 1
        assert json.loads(json.dumps(shown)) == json.loads(json.dumps(expected))
