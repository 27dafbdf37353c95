"""Which directory is good enough for a socket or a file of the master."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.directories import first_usable

if TYPE_CHECKING:
    from pathlib import Path

UID = os.geteuid()


def test_a_missing_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "web.sock"
    assert first_usable([path], UID, is_chosen=False) == (path, "")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


def test_the_first_that_can_be_used_is_taken(tmp_path: Path) -> None:
    """Not a file, not one that others can write, not a link, not one of somebody else."""
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "private").mkdir(0o700)
    (tmp_path / "link").symlink_to("private")
    (tmp_path / "loop").symlink_to("loop")
    bad = [tmp_path / name / "x" for name in ("file", "file/below", "open", "link", "loop")]
    good = tmp_path / "private" / "x"
    assert first_usable([*bad, good], UID, is_chosen=False) == (good, "")
    found, reason = first_usable(bad, UID, is_chosen=False)
    assert found is None
    assert len(reason.split("; ")) == len(bad)
    assert "can be written by others (mode 777)" in reason
    found, reason = first_usable([good], UID + 1, is_chosen=False)
    assert found is None
    assert f"belongs to user {UID}, not to user {UID + 1}" in reason


@pytest.mark.skipif(UID != 0, reason="only root can leave a link of root's")
def test_a_link_of_root_is_followed(tmp_path: Path) -> None:
    """As systemd makes them to what it keeps for a user that is not there for ever (DynamicUser=)."""
    (tmp_path / "private").mkdir(0o700)
    os.chown(tmp_path / "private", 1, -1)
    path = tmp_path / "link" / "x"
    path.parent.symlink_to("private")
    assert first_usable([path], 1, is_chosen=False) == (path, "")
    assert first_usable([path], 2, is_chosen=False)[0] is None
    os.chown(path.parent, 2, -1, follow_symlinks=False)
    assert first_usable([path], 1, is_chosen=False)[0] is None


def test_a_directory_that_the_user_chose_is_taken_as_it_is_and_never_made(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    path = tmp_path / "open" / "x"
    assert first_usable([path], UID, is_chosen=True) == (path, "")
    assert first_usable([path], UID + 1, is_chosen=True) == (path, "")
    assert first_usable([tmp_path / "none" / "x"], UID, is_chosen=True) == (
        None,
        f"{tmp_path}/none: No such file or directory",
    )
    assert not (tmp_path / "none").exists()


def test_none_is_no_error() -> None:
    assert first_usable([], UID, is_chosen=False) == (None, "")


def test_what_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere but on a file system that is mounted read-only."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert first_usable([tmp_path / "x"], UID, is_chosen=True) == (None, f"{tmp_path} cannot be written")
