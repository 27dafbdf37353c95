"""A certificate for 127.0.0.1 that lives as long as a comparison."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.errors import BenchmarkError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """The PEM files of a certificate and its private key."""

    certfile: Path
    keyfile: Path


def make(directory: Path) -> Certificate:
    """Have openssl make one, of the key type most servers on the web use.

    Raises:
        BenchmarkError: openssl is missing or failed.
    """
    made = Certificate(directory / "cert.pem", directory / "key.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(made.keyfile), "-out", str(made.certfile)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchmarkError(f"openssl made no certificate: {error}") from error
    return made
