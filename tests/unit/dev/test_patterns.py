"""Which files are code: what uvicorn's options mean, and what is left out by default."""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from srvctl.dev.globs import compile_globs
from srvctl.dev.patterns import make_patterns

if TYPE_CHECKING:
    from collections.abc import Collection

    from srvctl.dev.patterns import Patterns

CWD = "/srv/shop"


def patterns(
    *roots: str,
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    directories: Collection[str] = (),
    files: Collection[str] = (),
) -> Patterns:
    return make_patterns(
        roots or (CWD,),
        include,
        exclude,
        cwd=CWD,
        absolute=lambda path: posixpath.normpath(posixpath.join(CWD, path)),
        is_directory=lambda path: path in directories,
        files=files,
    )


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("main.py", True),
        ("shop/orders/__init__.py", True),
        ("venv.py", True),
        ("build.py", True),
        ("main.pyc", False),
        ("page.html", False),
        ("main.py~", False),
        (".main.py.swp", False),
        (".#main.py", False),
        ("#main.py#", False),
        ("~main.py", False),
        (".hidden.py", False),
        ("4913", False),
        ("main.py___jb_tmp___", False),
        ("__pycache__/main.py", False),
        ("web/node_modules/tool/setup.py", False),
        (".venv/lib/x.py", False),
        (".git/hooks/pre_commit.py", False),
        (".tox/py311/x.py", False),
        (".mypy_cache/x.py", False),
        ("shop.egg-info/x.py", False),
        ("lib/site-packages/x.py", False),
    ],
)
def test_by_default_python_files_of_ones_own_matter(path: str, matters: bool) -> None:
    assert patterns().matters(f"{CWD}/{path}") is matters


@pytest.mark.parametrize("path", [CWD, "/srv/other/main.py", "/srv/shopping/main.py", "/main.py"])
def test_what_is_not_below_a_root_does_not_matter(path: str) -> None:
    assert not patterns().matters(path)


def test_a_root_matters_wherever_it_is() -> None:
    """Also in what is left out by default, and below another root."""
    both = patterns(CWD, ".venv/lib/shop")
    assert both.matters(f"{CWD}/.venv/lib/shop/deep/x.py")
    assert not both.matters(f"{CWD}/.venv/lib/other/x.py")
    assert both.matters(f"{CWD}/x.py")
    assert patterns("/").matters("/main.py")


@pytest.mark.parametrize(
    ("include", "path", "matters"),
    [
        ("*.html", "templates/page.html", True),
        ("*.html", "page.htm", False),
        ("*.html", "templates/.#page.html", False),
        ("*.html", "node_modules/x/page.html", False),
        ("*.html", "main.py", True),
        (".env", ".env", True),
        (".env", "deep/.env", True),
        (".env*", ".env.local", True),
        (".*", ".env", True),
        ("*", "anything", True),
        ("*", "main.py~", False),
        ("*", ".env", False),
        ("*.swp", "x.swp", True),
        ("templates/*", "templates/x.css", True),
        ("templates/*", "templates/deep/x.css", False),
        ("templates/**", "templates/deep/er/x.css", True),
        ("templates/**/*.css", "templates/x.css", True),
        ("templates/**/*.css", "templates/a/b/x.css", True),
        ("./x.css", "x.css", True),
        ("./x.css", "deep/x.css", False),
        ("/srv/shop/*.css", "x.css", True),
        ("node_modules/own/*.py", "node_modules/own/x.py", True),
        (".config/*.toml", ".config/x.toml", True),
        ("*.[jt]s", "x.ts", True),
        ("*.[!jt]s", "x.ts", False),
        ("x?.css", "x1.css", True),
        ("[z-a].css", "b.css", False),
    ],
)
def test_what_is_included_matters_besides(include: str, path: str, matters: bool) -> None:
    """A pattern that names what is left out by default brings it back; a wildcard does not."""
    assert patterns(include=[include]).matters(f"{CWD}/{path}") is matters


@pytest.mark.parametrize(
    ("exclude", "path", "matters"),
    [
        ("*.py", "main.py", False),
        ("test_*.py", "deep/test_x.py", False),
        ("tests/*", "tests/x.py", False),
        ("tests/*", "tests/deep/x.py", False),
        ("tests/*", "x.py", True),
        ("migrations", "a/migrations/0001.py", False),
        ("*/migrations/*", "a/migrations/0001.py", False),
        ("./tests", "a/tests/x.py", True),
        ("./tests", "tests/x.py", False),
        ("shop", "main.py", True),
    ],
)
def test_what_is_excluded_does_not_matter(exclude: str, path: str, matters: bool) -> None:
    """Nor what is in a directory that is; the directories that a root is in are nobody's business."""
    assert patterns(exclude=[exclude]).matters(f"{CWD}/{path}") is matters


def test_an_exclude_wins_over_an_include() -> None:
    both = patterns(include=["*.html"], exclude=["draft*"])
    assert both.matters(f"{CWD}/page.html")
    assert not both.matters(f"{CWD}/draft.html")


def test_a_directory_stands_for_everything_below_it() -> None:
    found = patterns(
        include=["templates", "/etc/shop"], exclude=["tests"], directories=["templates", "/etc/shop", "tests"]
    )
    assert found.roots == (CWD, f"{CWD}/templates", "/etc/shop")
    assert found.matters(f"{CWD}/templates/deep/x.css")
    assert found.matters("/etc/shop/settings.ini")
    assert not found.matters(f"{CWD}/templates/.cache/x.css")
    assert not found.matters(f"{CWD}/templates/x.css~")
    assert not found.matters(f"{CWD}/tests/deep/x.py")
    assert not found.enters(f"{CWD}/tests")
    assert found.matters(f"{CWD}/other/tests/x.py")


def test_a_file_that_is_named_matters_whatever_the_rest_says() -> None:
    found = patterns(files=["../conf/srvctl.toml", ".env"], exclude=["*"])
    assert found.matters("/srv/conf/srvctl.toml")
    assert found.matters(f"{CWD}/.env")
    assert not found.matters("/srv/conf/other.toml")


def test_directories_are_entered_unless_nothing_in_them_matters() -> None:
    found = patterns(include=[".config/*.toml"], exclude=["tests/*"])
    entered = ["", "/shop", "/tests", "/.config"]
    assert [path for path in entered if not found.enters(CWD + path)] == []
    left_out = ["/.git", "/node_modules", "/a/__pycache__", "/tests/deep", "/a/node_modules/b"]
    assert [path for path in left_out if found.enters(CWD + path)] == []


NAMES = st.text("ab.-^\\", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
GLOBS = st.text("ab.-^\\*?[]!", min_size=1, max_size=5).filter(lambda name: name not in {".", "..", "**"})


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(GLOBS, min_size=1, max_size=3))
@example(["^"], ["[^a]"])
@example(["a"], ["[b-a]"])
@example(["a]"], ["[!]]]"])
def test_globs_match_as_pathlib_does(names: list[str], globs: list[str]) -> None:
    """But for ``**``, which pathlib does not know everywhere, and for the root, which is a name to it."""
    assume(len(globs) <= len(names))
    path = PurePosixPath("/", *names)
    glob = "/".join(globs)
    if "**" in glob:
        glob = glob.replace("**", "*")
    assert bool(compile_globs([glob], "/", hidden=True).fullmatch(str(path))) is path.match(glob)


def test_what_a_path_has_of_a_pattern_is_no_pattern() -> None:
    found = compile_globs(["./*.py"], "/srv/[a]*", hidden=True)
    assert found.fullmatch("/srv/[a]*/x.py")
    assert not found.fullmatch("/srv/ab/x.py")
    assert isinstance(found, re.Pattern)
