"""All that is wrong with settings is told at once, with the place, the key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard_cluster.errors import SettingsError
from runyard_cluster.quoted import quoted
from tests.unit.cluster.loading import FULL, load, problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "max_concurent_runs = 1",
            "unknown key `max_concurent_runs`; did you mean `max_concurrent_runs`? allowed: ",
        ),
        ("source = 'x'", "unknown key `source`; "),
        (
            "[defaults]\nnum_cpu = 1",
            "unknown key `defaults.num_cpu`; did you mean `num_cpus`? allowed: num_cpus, ",
        ),
        (
            "[modules.m]\nscrpt = 'x'\ncommand = ['x']",
            "unknown key `modules.m.scrpt`; did you mean `script`? ",
        ),
        ('"a\\nb" = 1', r"unknown key `'a\nb'`; allowed: "),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_that_exists(tmp_path: Path, text: str, words: str) -> None:
    assert problem(tmp_path, text).startswith(f"{tmp_path / 'runyard.toml'}: {words}")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("RUNYARD_MAX_CONCURENT_RUNS", "did you mean `RUNYARD_MAX_CONCURRENT_RUNS`? "),
        ("RUNYARD_DEFAULTS_NUM_CPU", "did you mean `RUNYARD_DEFAULTS_NUM_CPUS`? "),
        ("RUNYARD_XYZZY", ""),
        ("RUNYARD_SOURCE", ""),
        ("RUNYARD_MODULES_M_TIMEOUT", "did you mean `RUNYARD_NODE_TIMEOUT`? "),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_that_exists(
    tmp_path: Path, name: str, hint: str
) -> None:
    words = problem(tmp_path, **{name: "1"})
    assert words.startswith(f"environment: unknown key `{name}`; {hint}allowed: RUNYARD_")


WHOLE = ["0", "-1", "1.5", "2.0", "true", '"3"', "nan", "inf", "[]", "{}", "1e3", "9" * 30]
SIZES = ["-1", "1.5", "true", "nan", "inf", "[]", "{}", '""', '"64 gigs"', '"1e999"', '"-1g"', "9" * 30]
TIMES = ["-1", "-0.5", "true", "nan", "inf", "1e13", "[]", "{}", '""', '"5x"', '"-5s"', '"nan"', "1979-05-27"]
TEXTS = ["1", "true", "[]", "{}", '""', '"a\\u0000b"', '"' + "x" * 201 + '"', "nan"]
CPUS = ["-1", "0.0001", "1e-9", "true", "nan", "inf", "1e6", '"1"', '"nan"', '"Auto"', "[]", '""', "9" * 30]
GPUS = ["-1", "0.0001", "1.5", "true", "nan", "inf", "1e6", '"1"', '"auto"', "[]"]


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        *(("max_concurrent_runs", v, "must be a whole number from 1 to 100000") for v in WHOLE),
        *(
            ("cpu_busy_percent", v, "must be a whole number from 0 to 100")
            for v in ("101", "-1", "true", "0.5")
        ),
        *(("port", v, "must be a whole number from 0 to 65535") for v in ("65536", "-1", "true", '"8300"')),
        *(("when_full", v, "must be 'queue' or 'reject'") for v in ('"drop"', "1", "true", '""', "[]")),
        *(("reserve_memory", v, "allowed: whole bytes") for v in SIZES),
        *(
            ("max_processes", v, "must be a whole number from 0 to 4000000")
            for v in ("-1", "1.5", "true", '"many"', "4000001")
        ),
        *(("max_log_size", v, "allowed: whole bytes") for v in SIZES),
        *(("retention", v, "allowed: seconds, or a text as") for v in TIMES),
        *(("grace", v, "allowed: seconds, or a text as") for v in TIMES),
        *(("host", v, "must be a text of 1 to 200 characters") for v in TEXTS),
        *(("ray_address", v, "must be a text of 1 to 200 characters") for v in TEXTS),
        *(("ray_gcs_storage", v, "must be 'memory' or 'rocksdb'") for v in ('"redis"', "1", "true", '""')),
        *(("data_dir", v, "must be a text of 1 to 4096 characters") for v in ("1", '""', "[]", '"a\\u0000"')),
        *(
            ("database_url", v, "must be sqlite:///")
            for v in ('"x.db"', '"postgresql://h/d"', '"sqlite:///"')
        ),
        *(("check_files", v, "must be true or false") for v in ("1", '"yes"', "[]")),
        *(("allowed_hosts", v, "must be a list") for v in ('"a"', "1")),
        *(("defaults", v, "must be a table") for v in ("1", '"auto"', "[]")),
        *(("modules", v, "must be a table") for v in ("1", '"x"', "[]")),
        *(("defaults.num_cpus", v, 'from 0.001 to 100000, or "auto"') for v in CPUS),
        *(("defaults.memory", v, '"1.5g", or "auto"') for v in SIZES),
        *(("defaults.timeout", v, "allowed: seconds, or a text as") for v in TIMES),
        *(("modules.m", v, "must be a table") for v in ("1", "[]", '"m.py"')),
    ],
    ids=quoted,
)
def test_a_bad_value_names_file_key_and_what_is_allowed(
    tmp_path: Path, key: str, value: str, allowed: str
) -> None:
    words = problem(tmp_path, f"{key} = {value}")
    assert words.startswith(f"{tmp_path / 'runyard.toml'}: `{key}` is not valid: ")
    assert allowed in words
    assert len(words) < 300 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        *(("name", v, "must be a text of 1 to 200 characters") for v in TEXTS),
        *(("num_cpus", v, 'from 0.001 to 100000, or "auto"') for v in CPUS),
        *(
            ("num_gpus", v, "must be 0, a fraction from 0.001 to 1, or a whole number up to 10000")
            for v in GPUS
        ),
        *(("memory", v, '"1.5g", or "auto"') for v in SIZES),
        *(("gpu_memory", v, "allowed: whole bytes") for v in [*SIZES, '"auto"']),
        *(("timeout", v, "allowed: seconds, or a text as") for v in TIMES),
        *(("priority", v, "from -1000000 to 1000000") for v in ("1099511627776", "true", "0.5", '"1"')),
        *(("max_concurrent", v, "must be a whole number from 1 to") for v in ("0", "-1", "true", "1.0")),
        *(
            ("retry_on_out_of_memory", v, "must be a number from 1 to 16, as 1.5")
            for v in ("0.5", "true", "17", '"1.5"', "nan", "inf")
        ),
        *(("max_retries", v, "must be a whole number from 0 to 1000") for v in ("-1", "true", "1001", '"1"')),
        *(("cwd", v, "must be a text of 1 to 4096 characters") for v in ("1", '""', '"' + "x" * 5000 + '"')),
        *(("python", v, "must be a text of 1 to 4096 characters") for v in ("1", '""')),
        *(("labels", v, "must be a table") for v in ("1", '"a=b"', "[]")),
        *(("env", v, "must be a table") for v in ("1", '"A=b"', "[]")),
        *(("warm", v, "must be true or false") for v in ("1", '"yes"')),
        *(("preload", v, "must be a list") for v in ('"numpy"', "1")),
    ],
    ids=quoted,
)
def test_a_bad_value_of_a_module_names_it(tmp_path: Path, key: str, value: str, allowed: str) -> None:
    words = problem(tmp_path, f"[modules.m]\ncommand = ['true']\n{key} = {value}")
    assert words.startswith(f"{tmp_path / 'runyard.toml'}: `modules.m.{key}` is not valid: ")
    assert allowed in words


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("", "`modules.m` is not valid: it must have either `script` or `command`"),
        ("script = 'a'\ncommand = ['b']", "`modules.m` is not valid: it must have either"),
        ("command = []", "`modules.m` is not valid: `command` must not be empty"),
        ("command = ['']", "`modules.m.command` must begin with a program"),
        ("command = 'ffmpeg -i'", "`modules.m.command` is not valid: must be a list"),
        ("command = [1]", "`modules.m.command.0` is not valid: must be a text"),
        (
            "command = ['a\\u0000']",
            "`modules.m.command.0` is not valid: must be a text of 0 to 131071 characters",
        ),
        ("script = ''", "`modules.m.script` is not valid: must be a text of 1 to 4096"),
        ("command = ['x']\nlabels = { a = 1 }", "`modules.m.labels.a` is not valid: must be a text"),
        ("command = ['x']\nlabels = { '' = 'b' }", "is not valid: must be a text of 1 to 200 characters"),
        ("command = ['x']\nenv = { A = 2 }", "`modules.m.env.A` is not valid: must be a text"),
        (
            "command = ['x']\nenv = { RUNYARD_RUN_ID = 'x' }",
            "`modules.m.env` is not valid: names that start with",
        ),
        ("command = ['x']\nenv = { 'A=B' = 'x' }", "`modules.m.env` is not valid: names must not be empty"),
    ],
)
def test_a_module_that_cannot_be_run_is_refused(tmp_path: Path, module: str, words: str) -> None:
    text = f"[modules.m]\n{module}".replace("'a\\u0000'", '"a\\u0000"')
    assert words in problem(tmp_path, text)


@pytest.mark.parametrize("module", ["env = { KEY = 31337 }\ncommand = ['x']", "env = { KEY = '31337' }"])
def test_the_value_of_an_environment_is_in_no_message(tmp_path: Path, module: str) -> None:
    assert "31337" not in problem(tmp_path, f"[modules.m]\n{module}")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("RUNYARD_PORT", "http", "must be a whole number from 0 to 65535 (got 'http')"),
        ("RUNYARD_PORT", "9" * 40, "must be a whole number"),
        ("RUNYARD_MAX_CONCURRENT_RUNS", "nan", "must be a whole number"),
        ("RUNYARD_CHECK_FILES", "perhaps", "must be true or false (got 'perhaps')"),
        ("RUNYARD_DEFAULTS_NUM_CPUS", "inf", "or \"auto\" (got 'inf')"),
        ("RUNYARD_DEFAULTS_MEMORY", "64 gigs", "'64 gigs' is not a size"),
        ("RUNYARD_RETENTION", "-1", "-1 is out of range for a duration"),
        ("RUNYARD_DEFAULTS", "{", "must be JSON: an object"),
        ("RUNYARD_DEFAULTS", "[1]", "must be JSON: an object"),
        ("RUNYARD_MODULES", "null", "must be JSON: an object"),
        ("RUNYARD_MODULES", '{"m": {}}', "`script` or `command`"),
        ("RUNYARD_ALLOWED_HOSTS", "[1", "must be JSON: a list"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    found = problem(tmp_path, FULL, **{name: text})
    assert found.startswith(f"environment: `{name}` ")
    assert words in found


def test_an_unknown_key_within_a_variable_is_named(tmp_path: Path) -> None:
    found = problem(tmp_path, RUNYARD_DEFAULTS='{"num_cpu": 1}')
    assert found.startswith("environment: unknown key `defaults.num_cpu`; did you mean `num_cpus`? ")


def test_a_bad_value_of_the_file_is_not_blamed_on_a_variable_beside_it(tmp_path: Path) -> None:
    found = problem(tmp_path, "[defaults]\nnum_cpus = -1", RUNYARD_DEFAULTS_MEMORY="1g")
    assert found.startswith(f"{tmp_path / 'runyard.toml'}: `defaults.num_cpus` ")


def test_a_variable_can_mend_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, "port = -1", RUNYARD_PORT="8301").port == 8301


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = "port = -1\nprot = 1\nhost = ''\n[defaults]\nmemory = 'much'\n[modules.m]\nnum_gpus = 1.5\nscript = 'm.py'"
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, RUNYARD_GRACE="x", RUNYARD_FOO="1")
    fields = {detail["field"] for detail in caught.value.details}
    assert fields == {"port", "prot", "host", "defaults.memory", "modules.m.num_gpus", "grace", "RUNYARD_FOO"}
    assert len(str(caught.value).splitlines()) == 7
