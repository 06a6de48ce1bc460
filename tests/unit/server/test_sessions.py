"""Browser sessions: they outlive the server, and nobody without the token makes or prolongs one."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from runyard.server import sessions
from runyard.server.sessions import SESSION_SECONDS, Sessions


def with_cookie(cookie: str) -> Headers:
    return Headers({"cookie": f"runyard={cookie}"})


def cookie_of(known: Sessions) -> str:
    cookie = known.redeem(known.new_link_secret())
    assert cookie is not None
    return cookie


def test_a_session_outlives_the_server_and_ends_with_its_token() -> None:
    cookie = cookie_of(Sessions("one"))
    assert Sessions("one").allows(with_cookie(cookie))
    assert not Sessions("two").allows(with_cookie(cookie))


def test_a_session_cannot_be_prolonged_or_changed() -> None:
    until, nonce, seal = cookie_of(Sessions("one")).split(".")
    for other in (
        f"{int(until) + 1}.{nonce}.{seal}",
        f"{until}.{nonce}x.{seal}",
        f"{until}.{nonce}.{seal[:-1]}",
        f"{until}.{nonce}.",
        f".{seal}",
        seal,
        "",
    ):
        assert not Sessions("one").allows(with_cookie(other)), other


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of(Sessions("one"))
    real = sessions.time.time
    monkeypatch.setattr(sessions.time, "time", lambda: real() + SESSION_SECONDS - 60)
    assert Sessions("one").allows(with_cookie(cookie))
    monkeypatch.setattr(sessions.time, "time", lambda: real() + SESSION_SECONDS + 60)
    assert not Sessions("one").allows(with_cookie(cookie))


def test_a_link_works_once() -> None:
    known = Sessions("one")
    secret = known.new_link_secret()
    assert known.redeem(secret)
    assert known.redeem(secret) is None
