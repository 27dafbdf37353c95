"""The directory in which workers meet: its name, its end, and those that killed masters left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.broadcast.place import Place
from srvctl.supervisor.meeting_place import name_place, remove_place

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def parent() -> Iterator[Path]:
    """A short path, since socket files will be in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


def named(parent: Path) -> str:
    return name_place({"RUNTIME_DIRECTORY": f"{parent}:/elsewhere"})


def test_it_is_named_and_not_made(parent: Path) -> None:
    place = Path(named(parent))
    assert place.parent == parent
    assert not place.exists()
    assert named(parent) != named(parent)
    remove_place(str(place))


def test_it_is_removed_with_everything_in_it(parent: Path) -> None:
    place = Place(named(parent))
    with place.listen():
        remove_place(place.path)
        assert list(parent.iterdir()) == []
        place.leave()


def test_one_in_which_nobody_is_any_more_is_removed_by_the_next(parent: Path) -> None:
    killed, living = Place(named(parent)), Place(named(parent))
    with killed.listen(), living.listen():
        os.close(killed._lock)  # as the kernel does
        named(parent)
        assert list(parent.iterdir()) == [Path(living.path)]
        living.leave()


def test_what_is_not_ours_is_left_alone(parent: Path) -> None:
    (parent / "elsewhere").mkdir()
    (parent / "elsewhere" / "file").touch()
    (parent / "srvctl-broadcast-link").symlink_to(parent / "elsewhere")
    (parent / "srvctl-broadcast-file").touch()
    (parent / "other").mkdir()
    named(parent)
    remove_place(str(parent / "srvctl-broadcast-link"))
    assert len(list(parent.iterdir())) == 4
    assert (parent / "elsewhere" / "file").exists()


@pytest.mark.parametrize("given", ["", "relative", "/no/such/directory", "/tmp/" + "x" * 60])
def test_a_parent_that_cannot_be_used_is_passed_over(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose path is too long for a socket's."""
    monkeypatch.setattr(tempfile, "tempdir", given or None)
    place = name_place({"RUNTIME_DIRECTORY": given})
    assert len(place) < 90
    assert os.access(Path(place).parent, os.W_OK)


def test_workers_of_another_user_meet_where_anybody_may_make_a_directory(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a service manager gives belongs to the master's user."""
    monkeypatch.setattr(tempfile, "tempdir", str(parent))
    (parent / "own").mkdir(mode=0o755)
    environ = {"RUNTIME_DIRECTORY": str(parent / "own")}
    parent.chmod(0o1777)
    assert Path(name_place(environ)).parent == parent / "own"
    assert Path(name_place(environ, for_others=True)).parent == parent
