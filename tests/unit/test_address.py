"""Addresses, tokens and keys: what is none is refused in words, before anything is sent."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runyard.address import checked_key, checked_token, checked_url, part
from runyard_cluster.errors import AuthenticationError, InvalidRequestError

SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY_TEXT = st.text(st.characters(exclude_categories=()), min_size=1)


@SOME
@given(ANY_TEXT)
@example("..")
@example("../../stats")
@example("a/b?c#d%2e")
@example("\ud800")
@example("\0\n")
def test_an_id_is_one_part_of_a_path_whatever_it_holds(name: str) -> None:
    path = httpx.URL("http://h").join(f"/api/runs/{part(name)}/log").raw_path.decode()
    before, found, after = path[:10], path[10:-4], path[-4:]
    assert (before, after) == ("/api/runs/", "/log")
    assert "/" not in found and "?" not in found and set(found) != {"."}
    assert unquote(found, errors="surrogatepass") == name


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("http://127.0.0.1:8300", "http://127.0.0.1:8300"),
        ("https://yard.example/below/", "https://yard.example/below"),
        ("http://[::1]:8300/", "http://[::1]:8300"),
    ],
)
def test_an_address_is_taken(given: str, taken: str) -> None:
    assert checked_url(given) == taken


@pytest.mark.parametrize(
    "bad",
    [
        *(
            "",
            " ",
            "nonsense",
            "127.0.0.1:8300",
            "ftp://h",
            "http://",
            "http://:80",
            "http://h:0",
            "http://h:65536",
        ),
        *("http://h:-1", "http://h:x", "http://[::1", "http://a b", "http://a\nb", "http://é", "http://h\0"),
        "http://" + "a" * 100_000 + " ",
    ],
    ids=lambda bad: bad[:20],
)
def test_what_is_no_address_is_refused_saying_what_is_allowed(bad: str) -> None:
    with pytest.raises(InvalidRequestError, match='allowed: "http://HOST:PORT"') as caught:
        checked_url(bad)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@SOME
@given(ANY_TEXT)
def test_any_text_is_an_address_or_an_invalid_request(text: str) -> None:
    for url in (text, f"http://{text}"):
        try:
            assert httpx.URL(checked_url(url)).host
        except InvalidRequestError:
            pass


@SOME
@given(ANY_TEXT)
def test_a_token_can_be_sent_or_is_refused_and_not_repeated(token: str) -> None:
    try:
        httpx.Headers({"Authorization": f"Bearer {checked_token(token)}"})
    except AuthenticationError as error:
        assert str(error).isprintable()


@SOME
@given(st.text(st.characters(exclude_categories=()), max_size=300))
@example("a\r\nX: y")
def test_a_key_can_be_sent_or_is_refused(key: str) -> None:
    try:
        assert 1 <= len(httpx.Headers({"Idempotency-Key": checked_key(key)})["idempotency-key"]) <= 255
    except InvalidRequestError as error:
        assert "idempotency_key" in str(error)
