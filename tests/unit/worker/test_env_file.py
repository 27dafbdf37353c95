"""The variables of a file: what is taken, what is kept, what cannot be read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import AppError
from srvctl.settings.groups import AppSettings
from srvctl.worker.env_file import EnvFileError, check_readable, load_env_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Put back what a test changes."""
    before = os.environ.copy()
    yield
    os.environ.clear()
    os.environ.update(before)


def load(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    check_readable(str(path))
    load_env_file(AppSettings(env_file=str(path)))


def test_variables_are_set_but_not_changed(tmp_path: Path) -> None:
    """As dotenv has it: quotes, export, comments, and what one says about another."""
    os.environ["ENV_TEST_SET"] = "before"
    load(
        tmp_path / ".env",
        b"\xef\xbb\xbfENV_TEST_A=1 # one\nexport ENV_TEST_B='two # 2'\nENV_TEST_SET=after\n"
        b'ENV_TEST_C="${ENV_TEST_A}-${ENV_TEST_SET}-${ENV_TEST_NONE:-no}"\nENV_TEST_EMPTY=\nENV_TEST_BARE\n',
    )
    found = {name: value for name, value in os.environ.items() if name.startswith("ENV_TEST_")}
    assert found == {
        "ENV_TEST_SET": "before",
        "ENV_TEST_A": "1",
        "ENV_TEST_B": "two # 2",
        "ENV_TEST_C": "1-before-no",
        "ENV_TEST_EMPTY": "",
    }


def test_no_file_is_none() -> None:
    """Nor is one looked for, as dotenv would by itself."""
    before = os.environ.copy()
    load_env_file(AppSettings())
    assert os.environ.copy() == before


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"A=1\nB=\xff\n", "is not UTF-8 (line 2)"),
        (b"A=1\n\nB=a\0b\n", "has a null character (line 3)"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, data: bytes | None, reason: str) -> None:
    """It is refused when the settings are read, and, if it has become so since, where it is loaded."""
    path = tmp_path / ".env"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EnvFileError) as refused:
        check_readable(str(path))
    assert str(refused.value) == f"{path} {reason}"
    with pytest.raises(AppError) as failed:
        load_env_file(AppSettings(env_file=str(path)))
    assert str(failed.value) == f"app.env_file: {path} {reason}"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """With the kernel's own words."""
    with pytest.raises(EnvFileError, match="cannot be read: Is a directory"):
        check_readable(str(tmp_path))


def test_a_name_that_no_variable_can_have(tmp_path: Path) -> None:
    """A quoted name may have anything in it, for dotenv."""
    with pytest.raises(AppError, match=r"\.env has a variable that cannot be set: "):
        load(tmp_path / ".env", b"'A=B'=1\n")


def test_a_pipe_is_not_emptied_by_a_look_at_it(tmp_path: Path) -> None:
    """A shell's ``<(...)`` and the pipes of password managers; to open it would wait for a writer."""
    path = tmp_path / ".env"
    os.mkfifo(path)
    check_readable(str(path))
