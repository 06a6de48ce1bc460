"""With a certificate the server speaks TLS and nothing else on that port."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest
import trustme

from runyard.server.listen import Listen, Tls
from tests.in_process import InProcess, in_process
from tests.rest import assert_problem


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    folder = tmp_path_factory.mktemp("server")
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    with in_process(folder, listen=Listen(tls=Tls(certificate=certificate, key=key))) as found:
        yield found


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_who_trusts_the_authority_is_answered(server: InProcess, trusting: ssl.SSLContext) -> None:
    assert server.url.startswith("https://")
    with server.http(verify=trusting, headers={"Origin": server.url}) as client:
        assert client.get("/api/runs").status_code == 200
    with httpx.Client(base_url=server.url, verify=trusting, trust_env=False) as stranger:
        assert_problem(stranger.get("/api/runs"), 401)


def test_a_session_over_tls_never_goes_in_the_clear(server: InProcess, trusting: ssl.SSLContext) -> None:
    secret = server.context.sessions.new_link_secret()
    with httpx.Client(base_url=server.url, verify=trusting, trust_env=False) as browser:
        assert "Secure" in browser.get(f"/?login={secret}").headers["set-cookie"]
        assert browser.get("/api/runs").status_code == 200


def test_without_tls_nothing_is_answered(server: InProcess) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url.replace("https:", "http:"), trust_env=False)


def test_who_does_not_trust_it_sends_no_token(server: InProcess) -> None:
    with server.http() as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.get("/api/runs")
