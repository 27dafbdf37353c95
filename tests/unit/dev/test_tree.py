"""The directories to watch: real ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from srvctl.dev.patterns import make_patterns
from srvctl.dev.tree import check_reload_dirs, directories, files_in, is_entered
from srvctl.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from srvctl.dev.patterns import Patterns


def patterns(root: Path, *more: str, include: tuple[str, ...] = ()) -> Patterns:
    return make_patterns(
        (str(root), *more),
        include,
        (),
        cwd=str(root),
        absolute=lambda path: os.path.normpath(root / path),
        is_directory=lambda path: (root / path).is_dir(),
    )


def make(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def found(root: Path, wanted: Patterns) -> set[str]:
    return {os.path.relpath(path, root) for path in directories(wanted)}


def test_what_is_left_out_is_not_entered(tmp_path: Path) -> None:
    make(
        tmp_path,
        "main.py",
        "shop/deep/x.py",
        "web/node_modules/a/b/c.py",
        ".venv/lib/x.py",
        "custom/pyvenv.cfg",
        "custom/lib/x.py",
        "venv/bin/python",
        "env/settings.py",
        "conda/conda-meta/history",
        "build/lib/x.py",
        "dist/__init__.py",
        "shop.egg-info/PKG-INFO",
        "shop/__pycache__/x.pyc",
    )
    assert found(tmp_path, patterns(tmp_path)) == {".", "shop", "shop/deep", "web", "env", "dist"}


def test_what_is_named_is_entered(tmp_path: Path) -> None:
    """As a root, a directory to include, or in a pattern."""
    make(
        tmp_path, "venv/pyvenv.cfg", "venv/lib/own/x.py", ".conf/x.toml", "build/x.py", "node_modules/x/y.js"
    )
    wanted = patterns(tmp_path, "venv/lib/own", include=(".conf", "build/*.py"))
    assert found(tmp_path, wanted) == {".", "venv/lib/own", ".conf", "build"}


def test_links_are_followed_once(tmp_path: Path) -> None:
    make(tmp_path, "app/x.py", "elsewhere/deep/y.py")
    (tmp_path / "app/loop").symlink_to(tmp_path / "app")
    (tmp_path / "app/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "app")
    (tmp_path / "app/nowhere").symlink_to(tmp_path / "missing")
    assert found(tmp_path / "app", patterns(tmp_path / "app")) == {".", "more", "more/deep"}


def test_what_is_not_there_is_waited_for_where_it_will_be(tmp_path: Path) -> None:
    wanted = patterns(tmp_path / "a/b")
    assert directories(wanted) == {str(tmp_path): False}
    make(tmp_path, "a/other")
    assert is_entered(str(tmp_path / "a"), wanted)
    assert directories(wanted) == {str(tmp_path / "a"): False}


def test_it_is_known_where_something_matters(tmp_path: Path) -> None:
    make(tmp_path, "main.py", "static/x.css", "shop/x.py")
    wanted = patterns(tmp_path)
    matters = {os.path.relpath(path, tmp_path): has for path, has in directories(wanted).items()}
    assert matters == {".": True, "static": False, "shop": True}
    assert set(files_in(directories(wanted), wanted)) == {f"{tmp_path}/main.py", f"{tmp_path}/shop/x.py"}
    assert list(files_in([f"{tmp_path}/missing"], wanted)) == []


@pytest.mark.parametrize(
    ("files", "path", "is_wanted"),
    [
        (["new/x.py"], "new", True),
        (["new"], "new", False),
        ([], "new", False),
        (["new/pyvenv.cfg"], "new", False),
        (["new/__pycache__/x.pyc"], "new/__pycache__", False),
    ],
)
def test_a_directory_that_appears_is_entered_by_the_same_rules(
    tmp_path: Path, files: list[str], path: str, is_wanted: bool
) -> None:
    make(tmp_path, *files)
    assert is_entered(str(tmp_path / path), patterns(tmp_path)) is is_wanted


def test_directories_to_watch_must_be_there(tmp_path: Path) -> None:
    make(tmp_path, "main.py")
    check_reload_dirs([str(tmp_path)])
    for path, what in [("missing", "there is no directory"), ("main.py", "is a file")]:
        with pytest.raises(ConfigError, match=f"reload.dirs: .*{what}|reload.dirs: {what}"):
            check_reload_dirs([str(tmp_path), str(tmp_path / path)])
