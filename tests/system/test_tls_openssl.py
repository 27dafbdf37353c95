"""TLS as other people's programs see it: openssl and curl."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import Authority, Pair
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("server", "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def server(authority: Authority, pair: Pair) -> Iterator[ServerProcess]:
    one = authority.issue("one", "one.example")
    flags = ["--ssl-sni", f"one.example={one.certfile}:{one.keyfile}"]
    # A client that keeps its connection must not find it closed because the machine is slow.
    with ServerProcess(BASIC, *pair.flags, *flags, "--timeout-keep-alive", "60s") as running:
        yield running


@pytest.fixture(scope="module")
def mutual(authority: Authority, pair: Pair) -> Iterator[ServerProcess]:
    flags = ["--ssl-cert-reqs", "2", "--ssl-ca-certs", str(authority.file)]
    with ServerProcess(BASIC, *pair.flags, *flags) as running:
        yield running


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def s_client(server: ServerProcess) -> list[str]:
    return [program("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}"]


def ask(server: ServerProcess, authority: Authority, *flags: str, said: str = REQUEST) -> tuple[int, str]:
    """Ask openssl to connect and to send a request; return its exit code and all it says."""
    done = subprocess.run(
        [*s_client(server), "-CAfile", authority.file, "-verify_return_error", "-ign_eof", *flags],
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_openssl_speaks_both_versions(server: ServerProcess, authority: Authority, version: str) -> None:
    flag = version.lower().replace("v", "").replace(".", "_")
    code, said = ask(
        server, authority, f"-{flag}", "-servername", "localhost", "-verify_hostname", "localhost"
    )
    assert code == 0, said
    assert f"{version}, Cipher is" in said
    assert "Verify return code: 0 (ok)" in said
    assert "basic" in said


@pytest.mark.parametrize("flag", ["-tls1", "-tls1_1"])
def test_openssl_is_told_that_older_versions_are_not_spoken(
    server: ServerProcess, authority: Authority, flag: str
) -> None:
    code, said = ask(server, authority, flag, "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0
    assert "alert protocol version" in said


def test_openssl_finds_no_weak_cipher(server: ServerProcess, authority: Authority) -> None:
    for ciphers in ("NULL:aNULL", "RC4:3DES", "kRSA", "SHA1"):
        code, said = ask(server, authority, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0")
        assert code != 0, ciphers
        assert re.search("alert handshake failure|no cipher match|no ciphers available", said), said


@pytest.mark.parametrize(
    ("name", "subject"), [("one.example", "one.example"), ("other.example", "localhost")]
)
def test_openssl_is_shown_the_certificate_of_the_name(
    server: ServerProcess, authority: Authority, name: str, subject: str
) -> None:
    code, said = ask(server, authority, "-servername", name, "-verify_hostname", subject)
    assert code == 0, said


@pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes_a_session(
    server: ServerProcess, authority: Authority, folder: Path, flag: str
) -> None:
    file = str(folder / f"session{flag}")
    assert "New, TLSv1" in ask(server, authority, flag, "-sess_out", file)[1]
    code, said = ask(server, authority, flag, "-sess_in", file)
    assert code == 0, said
    assert "Reused, TLSv1" in said
    assert "basic" in said


def test_openssl_may_not_renegotiate(server: ServerProcess, authority: Authority) -> None:
    """A client could have the server compute handshakes for nothing."""
    done = subprocess.run(
        [*s_client(server), "-tls1_2"],
        input="R\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    assert "no renegotiation" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("offered", "line"),
    [("h2,http/1.1", "ALPN protocol: http/1.1"), ("h2", "No ALPN negotiated"), (None, "No ALPN negotiated")],
)
def test_openssl_is_offered_http_1_1(
    server: ServerProcess, authority: Authority, offered: str | None, line: str
) -> None:
    code, said = ask(server, authority, *(["-alpn", offered] if offered else []))
    assert code == 0, said
    assert line in said


@pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
def test_openssl_shows_a_certificate(mutual: ServerProcess, authority: Authority, flag: str) -> None:
    client = authority.issue("client")
    code, said = ask(mutual, authority, flag, "-cert", str(client.certfile), "-key", str(client.keyfile))
    assert code == 0, said
    assert "basic" in said
    _, said = ask(mutual, authority, flag)
    reason = {"-tls1_2": "alert handshake failure", "-tls1_3": "alert certificate required"}[flag]
    assert reason in said
    assert "basic" not in said


def curl(server: ServerProcess, authority: Authority, *flags: str) -> subprocess.CompletedProcess[str]:
    url = f"https://localhost:{server.port}/"
    where = ["--resolve", f"localhost:{server.port}:127.0.0.1", "--cacert", str(authority.file)]
    return subprocess.run(
        [program("curl"), "--silent", "--show-error", "--max-time", str(int(PATIENCE)), *where, *flags, url],
        capture_output=True,
        text=True,
        check=False,
    )


def test_curl_is_served(server: ServerProcess, authority: Authority) -> None:
    done = curl(server, authority, "--write-out", " %{http_version} %{ssl_verify_result}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "basic 1.1 0", "")


def test_curl_keeps_its_connection(server: ServerProcess, authority: Authority, folder: Path) -> None:
    url = f"https://localhost:{server.port}/"
    sink = str(folder / "sink")
    done = curl(server, authority, "--output", sink, "--write-out", "%{num_connects} ", "--output", sink, url)
    assert (done.returncode, done.stdout) == (0, "1 0 ")


def test_curl_shows_a_certificate(mutual: ServerProcess, authority: Authority) -> None:
    client = authority.issue("curl")
    done = curl(mutual, authority, "--cert", str(client.certfile), "--key", str(client.keyfile))
    assert (done.returncode, done.stdout) == (0, "basic")
    done = curl(mutual, authority)
    assert done.returncode == 56, done
    assert "certificate required" in done.stderr
