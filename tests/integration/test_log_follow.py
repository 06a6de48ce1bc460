"""`runyard logs -f` against a server: bytes are counted right over what was dropped, and a tail is not downloaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runyard.cli.follow import Follower
from runyard.cli.log_output import Wanted, from_server, whole_lines
from runyard.client import Client
from tests.integration.test_log_routes import Logged, endpoint, running
from tests.store_server import StoreServer, serving

LOST = b"\n[runyard: 100 bytes are left out here: the log passed its limit]\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with serving(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def client(server: StoreServer) -> Iterator[Client]:
    with Client(locate=lambda: endpoint(server)) as found:
        yield found


@pytest.fixture
def holed(server: StoreServer) -> Logged:
    """A run whose log lost 100 bytes within its second line."""
    (run,) = running(server)
    run.append(b"one\nbegin " + b"x" * 100 + b" end\nlast\n")
    run.drop(10, 110)
    run.end()
    return run


def test_a_gap_is_told_in_words_and_counted(client: Client, holed: Logged) -> None:
    follower = Follower(client, holed.spec.run_id)
    assert b"".join(follower.blocks()) == b"one\nbegin " + LOST + b" end\nlast\n"
    assert follower.offset == 120
    assert list(client.log_pieces(holed.spec.run_id)) == [(0, b"one\nbegin "), (110, b" end\nlast\n")]
    assert b"".join(client.follow_log(holed.spec.run_id)) == b"one\nbegin  end\nlast\n"


def test_following_goes_on_behind_a_gap_after_an_interruption(client: Client, holed: Logged) -> None:
    follower = Follower(client, holed.spec.run_id)
    blocks = follower.blocks()
    assert next(blocks) == b"one\nbegin "
    blocks.close()  # As Ctrl-C does.
    assert b"".join(follower.blocks()) == LOST + b" end\nlast\n"


def test_lines_with_times_are_whole_over_a_gap(
    client: Client, holed: Logged, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines = list(whole_lines(Follower(client, holed.spec.run_id)))
    assert sum(length for _, _, length in lines) == 120
    assert [start + length for _, start, length in lines] == [4, 120]
    from_server(client, Wanted(run_id=holed.spec.run_id, attempt=1, timestamps=True, is_live=True))
    followed = capsysbinary.readouterr().out
    from_server(client, Wanted(run_id=holed.spec.run_id, attempt=1, timestamps=True))
    assert followed == capsysbinary.readouterr().out
    assert b"last\n" in followed


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (0, b""),
        (1, b"last\n"),
        (2, b"begin " + LOST + b" end\nlast\n"),
        (9, b"one\nbegin " + LOST + b" end\nlast\n"),
    ],
)
def test_the_last_lines_are_followed_without_what_is_before_them(
    client: Client, holed: Logged, capsysbinary: pytest.CaptureFixture[bytes], tail: int, expected: bytes
) -> None:
    sent: list[int] = []
    connection = client.asynchronous._connection
    send = connection.send

    async def counting(*args: object, **more: object) -> object:
        answer = await send(*args, **more)  # type: ignore[arg-type]
        sent.append(len(answer.content))
        return answer

    connection.send = counting  # type: ignore[method-assign, assignment]
    from_server(client, Wanted(run_id=holed.spec.run_id, attempt=1, tail=tail, is_live=True))
    assert capsysbinary.readouterr().out == expected
    assert sent[0] == 0  # Where the tail begins is told, and no byte of the log.
