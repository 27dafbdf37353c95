"""A shell that is process 1 and keeps signals to itself is told from all else that may start srvctl."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.parentage import Parent, first_process, objection, parent

if TYPE_CHECKING:
    from pathlib import Path

SIGCHLD_AND_INT, SIGTERM = 0x10002, 0x4000

FORMS = [
    ("/bin/sh", "-c", "srvctl run shop:app"),
    ("/bin/sh", "/entrypoint.sh", "shop:app"),
    ("bash", "-euo", "pipefail", "-c", "migrate && srvctl run shop:app"),
    ("busybox", "sh", "/start"),
    ("-ash",),
]
OTHERS = [
    ("/sbin/init",),
    ("/usr/lib/systemd/systemd", "--system"),
    ("/usr/bin/tini", "--", "sh", "-c", "srvctl run shop:app"),
    ("/usr/bin/dumb-init", "/bin/sh", "/entrypoint.sh"),
    ("/catatonit", "-P", "srvctl", "run"),
    ("s6-svscan", "-d4", "--", "/run/service"),
    ("/usr/bin/python3", "/usr/bin/supervisord"),
    ("/pause",),
    (),
]


@pytest.mark.parametrize("words", FORMS)
def test_a_shell_that_is_process_1_is_told_of(words: tuple[str, ...]) -> None:
    said = objection(Parent(1, words, SIGCHLD_AND_INT, 0))
    assert said.startswith(f"A shell ({' '.join(words[:2])}) is process 1 of this container")
    assert "exec" in said
    assert "\n" not in said


@pytest.mark.parametrize("words", FORMS)
def test_any_other_shell_is_not(words: tuple[str, ...]) -> None:
    """That of a terminal, one at whose terminal somebody sits in the container, one with a trap."""
    assert objection(Parent(4711, words, SIGCHLD_AND_INT, 0)) == ""
    assert objection(Parent(1, words, SIGCHLD_AND_INT, SIGTERM)) == ""
    assert objection(Parent(1, words, SIGCHLD_AND_INT | SIGTERM, 0)) == ""
    assert objection(Parent(1, words)) == ""


@pytest.mark.parametrize("words", OTHERS)
def test_what_is_made_to_be_process_1_is_not(words: tuple[str, ...]) -> None:
    assert objection(Parent(1, words, SIGCHLD_AND_INT, 0)) == ""


def test_only_process_1_is_read() -> None:
    assert parent() == Parent(os.getppid())


def test_it_is_read_as_the_kernel_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "proc/1"
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes(b"/bin/sh\0-c\0srvctl run \xff:app\0")
    (folder / "status").write_text("Name:\tsh\nSigIgn:\t0000000000004000\nSigCgt:\t0000000000010002\n")
    assert first_process(tmp_path) == Parent(
        1, ("/bin/sh", "-c", "srvctl run \ufffd:app"), SIGCHLD_AND_INT, SIGTERM
    )
    (folder / "cmdline").write_bytes(b"")
    (folder / "status").write_text("SigIgn:\tnonsense\n")
    assert first_process(tmp_path) == Parent(1) == first_process(tmp_path / "nowhere")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_the_kernel_writes_it_so(tmp_path: Path) -> None:
    """Of a shell that waits for a command, without and with a trap."""
    for trap, caught in (("", 0), ("trap 'exit' TERM;", SIGTERM)):
        with subprocess.Popen(
            ["sh", "-c", f"{trap} echo; read -r line; true"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as shell:
            assert shell.stdout is not None
            shell.stdout.readline()
            (tmp_path / "proc").mkdir(exist_ok=True)
            (tmp_path / "proc/1").unlink(missing_ok=True)
            (tmp_path / "proc/1").symlink_to(f"/proc/{shell.pid}")
            found = first_process(tmp_path)
            shell.communicate("\n")
        assert found.shell == "sh"
        assert found.caught is not None
        assert found.caught & SIGTERM == caught
        assert bool(objection(found)) == (not caught)
