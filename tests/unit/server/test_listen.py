"""A server listens to its own machine, to a network only with TLS or an explicit word."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from runyard.server.listen import LOOPBACK, Listen, Tls
from runyard.server.security import ANY_ADDRESS
from runyard.server.up import UpOptions
from runyard_cluster.errors import ConflictError, InvalidRequestError
from runyard_cluster.settings import Settings


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return Tls(certificate=certificate, key=key)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "localhost", "::1", "[::1]"])
def test_this_machine_only_needs_nothing(host: str) -> None:
    Listen(host=host).check()
    assert Listen(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", "[2001:db8::1]"])
def test_a_network_needs_tls_or_the_word(host: str, tls: Tls) -> None:
    with pytest.raises(InvalidRequestError, match=r"--tls-cert.*proxy.*--insecure"):
        Listen(host=host).check()
    Listen(host=host, is_insecure=True).check()
    Listen(host=host, tls=tls).check()


def test_what_is_no_certificate_is_refused_before_anything_starts(tls: Tls, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(other)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("nothing")
    for certificate, key, words in (
        (tls.certificate, tmp_path / "gone.pem", "--tls-key: there is no file"),
        (tmp_path / "gone.pem", tls.key, "--tls-cert: there is no file"),
        (tls.certificate, other, "no certificate and its key"),
        (garbage, tls.key, "no certificate and its key"),
    ):
        with pytest.raises(InvalidRequestError, match=words):
            Listen(tls=Tls(certificate=certificate, key=key)).check()


def test_a_port_that_is_taken_is_told() -> None:
    with Listen().open() as taken, pytest.raises(ConflictError, match="choose another --port"):
        taken.listen()
        Listen(port=taken.getsockname()[1]).open()


def test_the_address_is_one_that_works(tls: Tls) -> None:
    assert Listen().url(8300) == "http://127.0.0.1:8300"
    assert Listen(host="::1").url(8300) == "http://[::1]:8300"
    assert Listen(host="0.0.0.0", is_insecure=True).url(8300) == "http://127.0.0.1:8300"
    assert Listen(host="0.0.0.0", tls=tls).url(8300) == f"https://{socket.gethostname()}:8300"
    assert Listen(host="ws1", tls=tls).url(8300) == "https://ws1:8300"


def test_a_server_answers_to_its_own_names_only() -> None:
    assert Listen().names() == set(LOOPBACK)
    everywhere = Listen(host="0.0.0.0", is_insecure=True).names()
    assert {*LOOPBACK, socket.gethostname(), ANY_ADDRESS} <= everywhere
    assert ANY_ADDRESS not in Listen(host="10.1.2.3", is_insecure=True).names()


def test_tls_needs_both_files() -> None:
    with pytest.raises(InvalidRequestError, match="give both"):
        UpOptions(tls_certificate=Path("cert.pem")).listen(Settings())


@pytest.mark.parametrize("more", [[], ["--detach"]])
def test_up_refuses_an_open_network_and_starts_nothing(tmp_path: Path, more: list[str]) -> None:
    config = tmp_path / "runyard.toml"
    config.write_text(f'data_dir = "{(tmp_path / "data").as_posix()}"')
    command = [sys.executable, "-m", "runyard", "--config", str(config), "up", "--host", "0.0.0.0", *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--insecure" in done.stderr
    assert not (tmp_path / "data").exists()
