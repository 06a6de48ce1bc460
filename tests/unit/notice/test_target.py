"""Who is told of what: by settings, module and batch."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.server.notice.target import BatchWishes, Target, of_batch, of_run, wants_batches
from runyard_cluster.settings import ModuleSettings, Settings

COMMAND = Target("command", ("tell",))
HOOK = Target("webhook", ("https://hooks.example/a?key=secret",))
OWN = BatchWishes(("own",), "https://own.example/")


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def module(**values: Any) -> ModuleSettings:
    return ModuleSettings.model_validate({"command": ["true"], **values})


def run(batch_id: str | None = None) -> dict[str, Any]:
    return {"run_id": "r", "module_id": "train", "batch_id": batch_id}


def test_a_single_run_is_told_to_whom_settings_and_its_module_name() -> None:
    modules = {"train": module(on_end=["tell"], webhook=HOOK.words[0]), "other": module(on_end=["no"])}
    assert of_run(run(), settings(), modules) == [COMMAND, HOOK]
    told = of_run(run(), settings(on_end=["tell"], desktop_notifications=True), modules)
    assert told == [COMMAND, HOOK, Target("desktop")], "each once"
    assert of_run(run(), settings(), {}) == []


@pytest.mark.parametrize("tell", ["batch", "run"])
def test_a_batch_is_told_of_once_or_run_by_run(tell: str) -> None:
    told = settings(on_end=["tell"], tell=tell)
    modules = {"train": module(webhook=HOOK.words[0]), "other": module(on_end=["no"])}
    of_each = of_run(run("b"), told, modules)
    of_all = of_batch(OWN, told, modules, ["train", "unknown"])
    own = [Target("command", ("own",)), Target("webhook", ("https://own.example/",))]
    assert of_each == ([] if tell == "batch" else [COMMAND, HOOK])
    assert of_all == ([COMMAND, *own, HOOK] if tell == "batch" else own)
    assert wants_batches(told, {}) == (tell == "batch")


def test_nobody_is_asked_about_batches_that_nobody_wants_to_hear_of() -> None:
    assert not wants_batches(settings(), {"train": module()})
    assert wants_batches(settings(), {"train": module(on_end=["x"])})
    assert wants_batches(settings(desktop_notifications=True), {})


def test_what_is_shown_of_an_address_holds_no_secret() -> None:
    assert HOOK.shown() == "webhook https://hooks.example/…"
    assert Target("webhook", ("http://h:8080/x",)).shown() == "webhook http://h:8080/…"
    assert COMMAND.shown() == "on_end tell"


def test_what_rest_tells_of_a_target_holds_no_secret_either() -> None:
    command = Target("command", ("notify", "--token", "secret"))
    assert command.told() == {"kind": "command", "name": "notify"}
    assert HOOK.told() == {"kind": "webhook", "name": "https://hooks.example/…"}
    in_front = Target("webhook", ("https://me:secret@hooks.example:8443/a",))
    assert in_front.told()["name"] == "https://hooks.example:8443/…"
    assert Target("desktop").told() == {"kind": "desktop", "name": "desktop notification"}


def test_an_address_that_the_store_has_from_before_it_was_refused_is_shown() -> None:
    assert Target("webhook", ("http://Host:99999/x",)).shown() == "webhook http://host:99999/…"


@pytest.mark.parametrize("port", [1, 80, 9_999, 10_000, 59_999, 65_000, 65_535])
def test_a_webhook_may_have_any_port_that_there_is(port: int) -> None:
    assert settings(webhook=f"http://host:{port}/x").webhook == f"http://host:{port}/x"


@pytest.mark.parametrize("port", ["0", "08", "65536", "65540", "66000", "70000", "99999", "100000", "x", ""])
def test_a_webhook_with_a_port_that_there_is_not_is_refused(port: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        settings(webhook=f"http://host:{port}/x")
