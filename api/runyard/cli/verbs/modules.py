"""`runyard modules`: what can be run by id."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runyard.cli.say import clean, put, put_json
from runyard.cli.verb import Options, verb
from runyard.cli.view.table import Column, render
from runyard.cli.view.words import duration, number, size, window_width

if TYPE_CHECKING:
    from runyard_actors.store.reader import StoreReader
    from runyard_cluster.capacity import Capacity
    from runyard_cluster.settings import Settings


@verb(
    help="List the modules that can be run by id, with what each declares, and what it could declare instead.",
    examples="runyard modules --json",
)
def command(options: Options) -> None:
    """Print the registry: the server's, or without one that of the settings and the store."""
    modules = _of_server(options) if options.is_elsewhere else _of_machine(options)
    if options.is_json:
        put_json({"modules": modules})
    else:
        put(modules_table(modules, window_width()))
        for module in modules:
            for each in module["advice"]:
                put(f"{clean(module['module_id'])} {clean(each['sentence'])}")


def modules_table(modules: Sequence[Mapping[str, Any]], width: int | None) -> str:
    """Return modules as a table."""
    columns = (
        Column("MODULE"),
        Column("NAME", gives_way=True),
        Column("CPUS", is_number=True),
        Column("GPUS", is_number=True),
        Column("MEMORY", is_number=True),
        Column("GPU MEMORY", is_number=True),
        Column("TIMEOUT", is_number=True),
        Column("RUNS", gives_way=True),
    )
    return render(columns, [_row(module) for module in modules], width)


def _row(module: Mapping[str, Any]) -> list[str]:
    return [
        module["module_id"],
        module.get("name") or module["module_id"],
        _or_auto(module.get("num_cpus"), number),
        number(module.get("num_gpus")),
        _or_auto(module.get("memory"), size),
        _or_auto(module.get("gpu_memory"), size),
        duration(module.get("timeout") or None),
        module.get("script") or shlex.join(module.get("command") or ()),
    ]


def _or_auto(value: Any, words: Any) -> str:
    return value if isinstance(value, str) else str(words(value))


def _of_server(options: Options) -> list[dict[str, Any]]:
    with options.client() as client:
        return list(client.modules()["modules"])


def _of_machine(options: Options) -> list[dict[str, Any]]:
    from runyard_actors.store.reader import StoreReader
    from runyard_cluster.capacity import read_capacity
    from runyard_cluster.settings import load_settings

    settings = load_settings(options.config)
    reader, capacity = StoreReader(settings.data.database), read_capacity(settings.reserve_memory)
    own = {module_id: module.model_dump(mode="json") for module_id, module in settings.modules.items()}
    return [
        {**_public(module_id, module), "advice": _advice(module_id, module, reader, settings, capacity)}
        for module_id, module in sorted({**reader.modules(), **own}.items())
    ]


def _advice(
    module_id: str, module: Mapping[str, Any], reader: StoreReader, settings: Settings, capacity: Capacity
) -> list[dict[str, Any]]:
    from runyard.advice import advice_of
    from runyard_actors.learning.learn import NEWEST
    from runyard_cluster.settings import ModuleSettings

    try:
        known = ModuleSettings.model_validate(module)
    except ValueError:
        return []  # Put there by another version, whose words are not ours to judge.
    return advice_of(known, reader.past_runs(module_id, NEWEST, with_failed=True), settings, capacity)


def _public(module_id: str, module: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an environment are never shown."""
    shown = {k: v for k, v in module.items() if k != "env"}
    return {"module_id": module_id, **shown, "env_keys": sorted(module.get("env") or ())}
