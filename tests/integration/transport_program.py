"""What test_transports.py runs in three ways; the last line it prints is what it found out, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import runyard
from runyard import ConcurrentExecutor, Module, RunError, RunyardError, submit, submit_batch


def code(text: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", text]


def shown(result: object) -> object:
    if isinstance(result, RunError):
        return f"{type(result).__name__} {result.reason} {result.exit_code}"
    return result.log()  # type: ignore[attr-defined]


def mixed_batch() -> dict[str, object]:
    batch = submit_batch(
        [
            Module("zero", command=code("print(0)")),
            Module("one", command=code("raise SystemExit(3)")),
            {"module_id": "two", "command": code("print(2)")},
            Module("three", command=code("import time; time.sleep(60)"), timeout="500ms"),
            Module("four", command=code("print(4)"), after=[1]),
        ],
        max_concurrent=2,
        name="mixed",
    )
    ended = sorted(run.batch_index for run in batch.as_completed(timeout=120))
    return {"completed": ended, "batch": [shown(r) for r in batch.results(return_exceptions=True)]}


async def asynchronous() -> dict[str, object]:
    first = await asyncio.to_thread(submit, {"command": code("print('a')")})
    second = await asyncio.to_thread(submit, {"command": code("print('b')")})
    awaited = [(await first).log(), (await second).log()]
    script = Path(tempfile.mkdtemp(), "double.py")
    script.write_text("import sys; print(2 * int(sys.argv[1]))")
    async with ConcurrentExecutor(max_concurrent=2) as executor:
        single = await executor.execute_module("double", script, ["2"])
        many = await executor.execute_batch([("double", script, [a]) for a in ("0", "x", "1")])
    together = [type(r).__name__ if isinstance(r, RunError) else r.log() for r in many]
    return {"awaited": awaited, "executor": [single.log(), together]}


def handles() -> dict[str, object]:
    sleeper = submit({"command": code("import time; time.sleep(300)")})
    sleeper.cancel("enough")
    run = submit({"command": [*code("import sys; print(sys.argv[1])")], "args": ["old"]})
    run.result(60)
    again = run.restart(args=["new"])
    follower = submit({"command": code("print('one', flush=True); print('two')")})
    return {
        "cancelled": sleeper.wait(60).reason,
        "restarted": [again.result(60).log(), again.restarted_from == run.run_id],
        "followed": list(follower.follow()),
    }


def refusals() -> dict[str, str]:
    ok = {"command": ["true"]}
    keyed = f"key-{runyard.__name__}-{id(ok)}"
    submit(ok, idempotency_key=keyed).wait(60)

    def fill() -> None:
        for _ in range(9):
            submit({"command": code("import time; time.sleep(2)")}, when_full="reject")

    cases: dict[str, Callable[[], object]] = {
        "too large": lambda: submit({**ok, "memory": "900TiB"}),
        "misspelt": lambda: submit({**ok, "num_cpu": 1}),
        "one bad of two": lambda: submit_batch([ok, {"command": []}]),
        "unknown module": lambda: submit("nobody-knows-it"),
        "no slot": fill,
        "other body": lambda: submit({"command": ["false"]}, idempotency_key=keyed),
    }
    return {name: refusal(case) for name, case in cases.items()}


def refusal(case: Callable[[], object]) -> str:
    try:
        case()
    except RunyardError as error:
        return type(error).__name__
    return "nothing"


def main() -> None:
    if len(sys.argv) > 1:
        import ray

        ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error", configure_logging=False)
    found = {**mixed_batch(), **asyncio.run(asynchronous()), **handles(), "refusals": refusals()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
