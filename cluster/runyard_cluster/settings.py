"""Settings: `runyard.toml`, then `RUNYARD_*` variables on top. All that is wrong is told at once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from runyard_cluster.data_dir import default_data_dir
from runyard_cluster.durations import parse_duration
from runyard_cluster.errors import SettingsError
from runyard_cluster.locate import find_config, read_toml
from runyard_cluster.sizes import parse_size

PREFIX = "RUNYARD_"

#: Variables of that prefix that are no settings: what a module is told, and what a caller says of itself.
NO_SETTINGS = frozenset(
    PREFIX + name
    for name in (
        *("RUN_ID", "ATTEMPT", "BATCH_ID", "REPORT", "NONCE"),
        *("CONFIG", "URL", "TOKEN", "FAIL", "LOG_LEVEL", "WEB", "NODE"),
    )
)


def _auto_or(parse: Any) -> Any:
    return lambda value: value if value == "auto" else parse(value)


def _cpus(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    number = float(value)
    if not 0 <= number <= 100_000:
        raise ValueError("must be from 0 to 100000")
    return number


Size = Annotated[int, BeforeValidator(parse_size)]
AutoSize = Annotated[int | Literal["auto"], BeforeValidator(_auto_or(parse_size))]
AutoCpus = Annotated[float | Literal["auto"], BeforeValidator(_auto_or(_cpus))]
Duration = Annotated[float, BeforeValidator(parse_duration)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DefaultsSettings(_Part):
    """A run's request where neither it nor its module names one. `timeout` in seconds, 0 = none."""

    num_cpus: AutoCpus = "auto"
    memory: AutoSize = "auto"
    timeout: Duration = 0.0


class ModuleSettings(_Part):
    """A module: what to run, and what its runs request. Paths are absolute once loaded."""

    name: str | None = None
    script: Path | None = None
    command: tuple[str, ...] | None = None
    python: Path | None = None
    cwd: Path | None = None
    num_cpus: AutoCpus | None = None
    num_gpus: Annotated[float, Field(ge=0, le=10_000)] | None = None
    memory: AutoSize | None = None
    gpu_memory: Size | None = None
    timeout: Duration | None = None
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    max_retries: Annotated[int, Field(ge=0, le=1_000)] | None = None
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    warm: bool = False
    preload: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_one_thing(self) -> ModuleSettings:
        if (self.script is None) == (self.command is None):
            raise ValueError("must have either `script` or `command`")
        if self.command is not None and not self.command:
            raise ValueError("`command` must not be empty")
        return self


class Settings(BaseSettings):
    """All settings. `source` is the file they came from, or None.

    `allowed_hosts`: further names that the server answers to, as that of a proxy in front. `check_files`: refuse
    a run at once when its script or folder is missing on the server's machine, rather than when it starts.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        validate_default=False,
    )

    max_concurrent_runs: Annotated[int, Field(ge=1, le=100_000)] = 10
    when_full: Literal["queue", "reject"] = "queue"
    cpu_busy_percent: Annotated[int, Field(ge=0, le=100)] = 80
    reserve_memory: Size = 2 * 2**30
    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str | None = None
    retention: Duration = 90 * 86400.0
    ray_address: str = "local"
    grace: Duration = 10.0
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8300
    max_log_size: Size = 2**30
    allowed_hosts: tuple[str, ...] = ()
    check_files: bool = False
    defaults: DefaultsSettings = DefaultsSettings()
    modules: dict[str, ModuleSettings] = Field(default_factory=dict)
    source: Path | None = None

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
    source = find_config(config, environ=environ, cwd=cwd)
    base = source.parent if source else cwd or Path.cwd()
    from_file = read_toml(source) if source else {}
    from_variables = _from_variables(environ)
    problems = [*_unknown_keys(from_file, source), *_unknown_variables(environ)]
    merged = _with_absolute_paths(_merged(from_file, from_variables), base)
    try:
        found = Settings(**_known(merged), source=source)
    except ValidationError as error:
        problems += [
            _problem(e, source, from_variables) for e in error.errors() if e["type"] != "extra_forbidden"
        ]
    if problems:
        raise SettingsError("\n".join(p["message"] for p in problems), problems)
    return found


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    wanted = {k: v for k, v in environ.items() if k.startswith(PREFIX) and k not in NO_SETTINGS and v}
    source = EnvSettingsSource(Settings)
    source.env_vars = {k.lower(): v for k, v in wanted.items()}
    try:
        found = source()
    except ValueError as error:
        raise SettingsError(f"a {PREFIX}* variable is not valid: {error}") from error
    found.pop("source", None)
    return found


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    known = {PREFIX + name.upper() for name in Settings.model_fields if name != "source"}
    known |= {f"{PREFIX}DEFAULTS_{name.upper()}" for name in DefaultsSettings.model_fields}
    for name in environ:
        nested = name.startswith(f"{PREFIX}MODULES")
        if name.startswith(PREFIX) and name not in known | NO_SETTINGS and not nested:
            yield _unknown("environment", name, sorted(known))


def _unknown_keys(data: Mapping[str, Any], source: Path | None) -> Iterator[dict[str, str]]:
    top = [name for name in Settings.model_fields if name != "source"]
    yield from (_unknown(str(source), key, top) for key in data if key not in top)
    defaults = data.get("defaults", {})
    if isinstance(defaults, dict):
        names = list(DefaultsSettings.model_fields)
        yield from (_unknown(str(source), f"defaults.{k}", names) for k in defaults if k not in names)
    modules = data.get("modules", {})
    for module_id, module in modules.items() if isinstance(modules, dict) else ():
        names = list(ModuleSettings.model_fields)
        for key in module if isinstance(module, dict) else ():
            if key not in names:
                yield _unknown(str(source), f"modules.{module_id}.{key}", names)


def _unknown(where: str, key: str, allowed: list[str]) -> dict[str, str]:
    last = key.rpartition(".")[2]
    close = difflib.get_close_matches(last, allowed, 1)
    hint = f"did you mean `{close[0]}`? " if close else ""
    return {"field": key, "message": f"{where}: unknown key `{key}`; {hint}allowed: {', '.join(allowed)}"}


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _known(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out unknown keys, which are told already."""
    kept = {k: v for k, v in data.items() if k in Settings.model_fields and k != "source"}
    if isinstance(kept.get("defaults"), dict):
        kept["defaults"] = {k: v for k, v in kept["defaults"].items() if k in DefaultsSettings.model_fields}
    if isinstance(kept.get("modules"), dict):
        kept["modules"] = {
            name: {k: v for k, v in module.items() if k in ModuleSettings.model_fields}
            if isinstance(module, dict)
            else module
            for name, module in kept["modules"].items()
        }
    return kept


def _with_absolute_paths(data: dict[str, Any], base: Path) -> dict[str, Any]:
    found = dict(data)
    if isinstance(found.get("data_dir"), str):
        found["data_dir"] = _absolute(found["data_dir"], base)
    modules = found.get("modules")
    if isinstance(modules, dict):
        found["modules"] = {
            name: {
                k: _absolute(v, base) if k in ("script", "cwd", "python") and isinstance(v, str) else v
                for k, v in m.items()
            }
            if isinstance(m, dict)
            else m
            for name, m in modules.items()
        }
    return found


def _absolute(text: str, base: Path) -> Path:
    """Make a path absolute without following links: an interpreter of a virtual environment is one."""
    return Path(os.path.normpath(base.resolve() / Path(text).expanduser()))


def _problem(error: Any, source: Path | None, from_variables: Mapping[str, Any]) -> dict[str, str]:
    names = [str(part) for part in error["loc"] if "[" not in str(part)]
    key = ".".join(names)
    words = str(error["msg"]).removeprefix("Value error, ")
    is_variable = bool(names) and names[0] in from_variables
    where = PREFIX + "_".join(names).upper() if is_variable else f"{source or 'runyard.toml'}: `{key}`"
    return {"field": key, "message": f"{where} is not valid: {words} (got {error['input']!r})"}
