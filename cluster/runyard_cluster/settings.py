"""Settings: `runyard.toml`, then `RUNYARD_*` variables on top. All that is wrong is told at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from runyard_cluster.data_dir import DataDir, default_data_dir
from runyard_cluster.database_url import absolute_url, database_place
from runyard_cluster.errors import SettingsError
from runyard_cluster.locate import absolute_path, find_config, read_toml
from runyard_cluster.setting_kinds import (
    MAX_PATH,
    Argument,
    Command,
    Cpus,
    Duration,
    Environment,
    Factor,
    FilePath,
    GpuMemory,
    Gpus,
    Label,
    Memory,
    PauseRule,
    Size,
    Switch,
    Text,
    WebAddress,
    whole,
)
from runyard_cluster.setting_problems import Problem, dotted, invalid, known_only, words_of
from runyard_cluster.setting_variables import PREFIX, WHERE, read_variables, variable_of

#: A shorter silence of a node says nothing, in seconds.
LEAST_NODE_TIMEOUT = 10.0

#: Keys of a module that are paths, relative to the file they stand in.
_MODULE_PATHS = ("script", "cwd", "python")


def _database(url: str) -> str:
    database_place(url, Path())
    return url


def _node_timeout(seconds: float) -> float:
    if seconds < LEAST_NODE_TIMEOUT:
        raise ValueError(f"must be at least {LEAST_NODE_TIMEOUT:g} seconds: nodes are heard of every two")
    return seconds


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DefaultsSettings(_Part):
    """A run's request where neither it nor its module names one. Times in seconds, 0 = no limit."""

    num_cpus: Cpus = "auto"
    memory: Memory = "auto"
    timeout: Duration = 0.0
    stall_after: Duration = 0.0
    on_stall: Literal["tell", "stop"] = "tell"
    code: Literal["shared", "ship"] = "shared"


class ModuleSettings(_Part):
    """A module: what to run, and what its runs request. Paths are absolute once loaded."""

    name: Text | None = None
    script: FilePath | None = None
    command: tuple[Argument, ...] | None = None
    python: FilePath | None = None
    cwd: FilePath | None = None
    num_cpus: Cpus | None = None
    num_gpus: Gpus | None = None
    memory: Memory | None = None
    gpu_memory: GpuMemory | None = None
    node: Text | None = None
    timeout: Duration | None = None
    stall_after: Duration | None = None
    on_stall: Literal["tell", "stop"] | None = None
    priority: Annotated[int, whole(-1_000_000, 1_000_000)] | None = None
    labels: dict[Text, Label] = Field(default_factory=dict)
    max_concurrent: Annotated[int, whole(1, 1_000_000_000)] | None = None
    max_retries: Annotated[int, whole(0, 1_000)] | None = None
    retry_on_out_of_memory: Factor | None = None
    env: Environment = Field(default_factory=dict, repr=False)
    on_end: Command = ()
    webhook: WebAddress | None = Field(default=None, repr=False)
    warm: Switch = False
    preload: tuple[Text, ...] = ()
    code: Literal["shared", "ship"] | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> ModuleSettings:
        if (self.script is None) == (self.command is None):
            raise ValueError("it must have either `script` or `command`")
        if self.command is not None and not self.command:
            raise ValueError("`command` must not be empty")
        return self


class Settings(BaseSettings):
    """All settings. `source` is the file they came from, or None.

    `allowed_hosts`: further names that the server answers to, as that of a proxy in front. `check_files`: refuse
    a run at once when its script or folder is missing on the server's machine, rather than when it starts.
    `node_timeout`: a node of the cluster that is silent for so long is lost, and what ran there has failed.
    `fence_nodes`: runs on other nodes are ended there before `node_timeout` has passed without the server, so that what
    is tried again elsewhere never runs beside what it replaces.
    `pause_when`: rules that hold new starts for as long as one of them is true; docs/OPERATIONS.md has them.
    `on_end`, a command, and `webhook`, an address, are told of what ended: of a batch once or, with `tell` "run", of
    each run. `webhook_secret` signs it.
    `max_code_size`: how much a folder may hold whose code is shipped with `code = "ship"`, in bytes.
    `max_processes`: how many processes one run may have at once; 0 = any number.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        validate_default=False,
    )

    max_concurrent_runs: Annotated[int, whole(1, 100_000)] = 10
    when_full: Literal["queue", "reject"] = "queue"
    cpu_busy_percent: Annotated[int, whole(0, 100)] = 80
    reserve_memory: Size = 2 * 2**30
    data_dir: FilePath = Field(default_factory=default_data_dir)
    database_url: Annotated[Text, AfterValidator(_database)] | None = Field(default=None, repr=False)
    retention: Duration = 90 * 86400.0
    ray_address: Text = "local"
    ray_gcs_storage: Literal["memory", "rocksdb"] = "memory"
    node_timeout: Annotated[Duration, AfterValidator(_node_timeout)] = 60.0
    fence_nodes: Switch = False
    grace: Duration = 10.0
    host: Text = "127.0.0.1"
    port: Annotated[int, whole(0, 65_535)] = 8300
    max_log_size: Size = 2**30
    max_code_size: Size = 100 * 2**20
    max_processes: Annotated[int, whole(0, 4_000_000)] = 4096
    allowed_hosts: tuple[Text, ...] = ()
    check_files: Switch = False
    pause_when: tuple[PauseRule, ...] = ()
    on_end: Command = ()
    webhook: WebAddress | None = Field(default=None, repr=False)
    webhook_secret: Text | None = Field(default=None, repr=False)
    tell: Literal["batch", "run"] = "batch"
    desktop_notifications: Switch = False
    defaults: DefaultsSettings = DefaultsSettings()
    modules: dict[Text, ModuleSettings] = Field(default_factory=dict)
    source: Path | None = None

    @property
    def data(self) -> DataDir:
        """The data folder, and the database where `database_url` has it."""
        url = self.database_url
        return DataDir(self.data_dir, database_place(url, self.data_dir) if url else None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_settings` put together, and nothing else from anywhere."""
        return (init_settings,)


def load_settings(
    config: Path | None = None, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Settings:
    """Read the settings in force. Raises SettingsError naming every wrong key, where it stands and what is allowed."""
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    source = find_config(config, environ=environ, cwd=cwd)
    where = str(source or "defaults")
    base = source.parent if source else cwd
    from_file, problems = known_only(read_toml(source) if source else {}, Settings, where)
    from_variables, wrong_variables = read_variables(Settings, environ)
    from_variables, unknown_below = known_only(from_variables, Settings, WHERE)
    merged = _with_absolute_paths(_merged(from_file, from_variables), base)
    found, wrong_values = _validated(merged, source)
    problems += [*wrong_variables, *unknown_below]
    problems += [_problem(error, where, from_variables, environ) for error in wrong_values]
    problems += _empty_programs(found, where) if found else ()
    if problems or found is None:
        raise SettingsError("\n".join(p["message"] for p in problems), problems)
    return found


def _validated(data: Mapping[str, Any], source: Path | None) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings(**data, source=source), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _with_absolute_paths(data: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Make all paths absolute, as they are relative to the file. What is no path stays, to be refused."""
    found = dict(data)
    if _is_path(found.get("data_dir")):
        found["data_dir"] = absolute_path(found["data_dir"], base)
    if isinstance(found.get("database_url"), str):
        found["database_url"] = absolute_url(found["database_url"], base)
    if isinstance(found.get("modules"), dict):
        found["modules"] = {name: _module_paths(module, base) for name, module in found["modules"].items()}
    return found


def _module_paths(module: Any, base: Path) -> Any:
    if not isinstance(module, dict):
        return module
    paths = {key: absolute_path(module[key], base) for key in _MODULE_PATHS if _is_path(module.get(key))}
    if _is_path(module.get("python")) and Path(module["python"]).name == module["python"]:
        paths["python"] = _interpreter(module["python"], base)
    return {**module, **paths}


def _interpreter(name: str, base: Path) -> Path:
    """Return the interpreter of that name beside the file, or else the one that `PATH` has."""
    beside = absolute_path(name, base)
    found = None if beside.exists() else shutil.which(name)
    return absolute_path(found, base) if found else beside


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_PATH and "\0" not in value


def _problem(
    error: ErrorDetails, where: str, from_variables: Mapping[str, Any], environ: Mapping[str, str]
) -> Problem:
    names = [str(part) for part in error["loc"] if part != "[key]"]
    variable = variable_of(names, environ) if _holds(from_variables, names) else None
    if variable is None:
        return invalid(where, dotted(names), words_of(error))
    return {**invalid(WHERE, variable, words_of(error)), "field": dotted(names)}


def _holds(data: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(data, dict):
            return True
        if name not in data:
            return False
        data = data[name]
    return True


def _empty_programs(settings: Settings, where: str) -> Iterator[Problem]:
    for name, module in settings.modules.items():
        if module.command and not module.command[0]:
            yield invalid(where, dotted(("modules", name, "command")), "must begin with a program")
