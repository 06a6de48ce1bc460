"""Whom to tell of an end, as the settings, the module and the batch have it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from runyard_cluster.settings import ModuleSettings, Settings

#: Modules of a batch whose wishes are looked at.
MODULES = 1_000

Kind = Literal["command", "webhook", "desktop"]


@dataclass(frozen=True, slots=True)
class Target:
    """A command with its arguments, the address of a webhook, or the desktop, which has no words of its own."""

    kind: Kind
    words: tuple[str, ...] = ()

    def shown(self) -> str:
        """Return words for people; an address may hold secrets behind the host, and in front of it."""
        if self.kind == "webhook":
            # Not by its port, which may be none that can be: the store keeps what was allowed once.
            parts = urlsplit(self.words[0])
            return f"webhook {parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}/…"
        return f"on_end {self.words[0]}" if self.words else "desktop notification"

    def told(self) -> dict[str, str]:
        """Return kind and name for REST: a command's arguments may hold secrets, as an address may."""
        return {"kind": self.kind, "name": self.shown().removeprefix("webhook ").removeprefix("on_end ")}


class Wishes(Protocol):
    """What settings, modules and batches have in common."""

    @property
    def on_end(self) -> tuple[str, ...]:
        """The command to run, none if empty."""
        ...

    @property
    def webhook(self) -> str | None:
        """The address to call."""
        ...


@dataclass(frozen=True, slots=True)
class BatchWishes:
    """What a batch was submitted with."""

    on_end: tuple[str, ...] = ()
    webhook: str | None = None


def wishes(given: Mapping[str, Any]) -> BatchWishes:
    """Return what a batch was submitted with, as the store keeps it."""
    return BatchWishes(tuple(given.get("on_end", ())), given.get("webhook"))


def of_run(run: Mapping[str, Any], settings: Settings, modules: Mapping[str, ModuleSettings]) -> list[Target]:
    """Return whom to tell of the end of a run: nobody, where its batch is told of as a whole."""
    if run["batch_id"] is not None and settings.tell == "batch":
        return []
    module = modules.get(run["module_id"])
    return _targets(settings, [settings, *([module] if module else [])])


def of_batch(
    own: BatchWishes,
    settings: Settings,
    modules: Mapping[str, ModuleSettings],
    modules_of_batch: Iterable[str],
) -> list[Target]:
    """Return whom to tell of the end of a batch, each once: who it names, and who wants one word for all its runs."""
    if settings.tell == "run":
        return _targets(None, [own])
    of_modules = [modules[m] for m in modules_of_batch if m in modules]
    return _targets(settings, [settings, own, *of_modules])


def wants_batches(settings: Settings, modules: Mapping[str, ModuleSettings]) -> bool:
    """Whether anybody but a batch itself may want to be told of its end."""
    return settings.tell != "run" and wants_runs(settings, modules)


def wants_runs(settings: Settings, modules: Mapping[str, ModuleSettings]) -> bool:
    """Whether anybody may want to be told of the end of a run."""
    wishes: list[Wishes] = [settings, *modules.values()]
    return settings.desktop_notifications or any(w.on_end or w.webhook for w in wishes)


def _targets(settings: Settings | None, wishes: Iterable[Wishes]) -> list[Target]:
    found: list[Target] = []
    for wish in wishes:
        if wish.on_end:
            found.append(Target("command", wish.on_end))
        if wish.webhook:
            found.append(Target("webhook", (wish.webhook,)))
    if settings and settings.desktop_notifications:
        found.append(Target("desktop"))
    return list(dict.fromkeys(found))
