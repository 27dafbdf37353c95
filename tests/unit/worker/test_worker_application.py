"""Importing the application, and saying what is wrong with it in one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.errors import AppError
from srvctl.settings.groups import AppSettings, Settings
from srvctl.worker.loading import load_all
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = "async def app(scope, receive, send): pass\n"


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Forget what a test imports."""
    known, path = set(sys.modules), sys.path.copy()
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]
    sys.path[:] = path


def load(folder: Path, target: str | None, *, factory: bool = False, **files: str) -> Any:
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    app = AppSettings(target=target, dir=str(folder), factory=factory)
    return load_all(Settings(app=app)).application


def failure(folder: Path, target: str | None, *, factory: bool = False, **files: str) -> AppError:
    with pytest.raises(AppError) as failed:
        load(folder, target, factory=factory, **files)
    assert "\n" not in str(failed.value), "one line"
    return failed.value


@pytest.mark.parametrize(
    ("target", "files"),
    [
        ("one_app:app", {"one_app": GOOD}),
        ("one_pkg.site:app", {"one_pkg__site": GOOD}),
        ("one_app:site.app", {"one_app": f"class site:\n  {GOOD}"}),
    ],
)
def test_an_application_is_imported(tmp_path: Path, target: str, files: dict[str, str]) -> None:
    """From its folder, which comes first."""
    assert callable(load(tmp_path, target, factory=False, **files))
    assert sys.path[0] == str(tmp_path)


def test_a_factory_is_called(tmp_path: Path) -> None:
    """And its result is the application."""
    made = load(tmp_path, "two_app:make", factory=True, two_app=f"{GOOD}def make():\n  return app\n")
    assert made is sys.modules["two_app"].app


@pytest.mark.parametrize("target", ["", "app", "app:", ":app", ":", None])
def test_a_target_of_another_form(tmp_path: Path, target: str | None) -> None:
    """What it should have been."""
    assert 'must be in format "<module>:<attribute>"' in str(failure(tmp_path, target))


@pytest.mark.parametrize("target", ["none_such:app", "none_such.deeper:app", "three_pkg.none_such:app"])
def test_a_module_that_does_not_exist(tmp_path: Path, target: str) -> None:
    """Without a traceback, which would show only the import system."""
    failed = failure(tmp_path, target, three_pkg__site=GOOD)
    assert str(failed) == f'Error loading ASGI app. Could not import module "{target[:-4]}".'
    assert failed.details == ""


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import none_such", "ModuleNotFoundError"),
        ("import four_app.none_such", "ModuleNotFoundError"),
        ("from os import none_such", "ImportError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def (", "SyntaxError"),
        ("none_such", "NameError"),
        ("raise Exception('a\\nb')", "Exception"),
    ],
)
def test_a_module_that_fails(tmp_path: Path, code: str, error: str) -> None:
    """Its own mistake is never taken for a module that does not exist; the traceback begins with it."""
    failed = failure(tmp_path, "four_app:app", four_app=code)
    assert str(failed) == f'Error loading ASGI app. Importing "four_app" raised {error}.'
    assert failed.details.startswith("Traceback (most recent call last):\n") or error == "SyntaxError"
    assert "four_app.py" in failed.details
    assert "importlib" not in failed.details
    assert "srvctl/worker" not in failed.details


def test_a_module_that_ends_the_process(tmp_path: Path) -> None:
    """Command line tools do, when they are imported."""
    failed = failure(tmp_path, "five_app:app", five_app="import sys\nsys.exit(7)")
    assert str(failed).endswith('Importing "five_app" ended the process with sys.exit(7).')
    assert "five_app.py" in failed.details


@pytest.mark.parametrize("attribute", ["none_such", "app.none_such", "none.such"])
def test_an_attribute_that_does_not_exist(tmp_path: Path, attribute: str) -> None:
    """It is named as it was written."""
    failed = failure(tmp_path, f"six_app:{attribute}", six_app=GOOD)
    assert str(failed).endswith(f'Attribute "{attribute}" not found in module "six_app".')


def test_an_attribute_that_raises(tmp_path: Path) -> None:
    """Modules may compute them (PEP 562)."""
    failed = failure(tmp_path, "ten_app:app", ten_app="def __getattr__(name):\n  raise ImportError(name)\n")
    assert "ImportError" in str(failed)


@pytest.mark.parametrize(("value", "kind"), [("1", "int"), ("None", "NoneType"), ("{}", "dict")])
def test_what_cannot_be_called_is_no_application(tmp_path: Path, value: str, kind: str) -> None:
    """Nor is what a factory returned."""
    assert f'"seven_app:app" is a {kind}, not an application.' in str(
        failure(tmp_path, "seven_app:app", seven_app=f"app = {value}")
    )
    del sys.modules["seven_app"]
    assert f"is a {kind}" in str(
        failure(tmp_path, "eleven_app:app", factory=True, eleven_app=f"def app():\n  return {value}")
    )


def test_a_factory_that_raises(tmp_path: Path) -> None:
    """With its traceback."""
    failed = failure(tmp_path, "eight_app:make", factory=True, eight_app="def make():\n  1 / 0\n")
    assert str(failed) == 'Error loading ASGI app. Factory "eight_app:make" raised ZeroDivisionError.'
    assert "srvctl/worker" not in failed.details


def test_a_factory_that_is_none(tmp_path: Path) -> None:
    """A value that cannot be called."""
    assert "TypeError" in str(failure(tmp_path, "twelve_app:make", factory=True, twelve_app="make = 1"))


def test_a_factory_that_ends_the_process(tmp_path: Path) -> None:
    """As for a module."""
    failed = failure(
        tmp_path, "nine_app:make", factory=True, nine_app="import sys\nmake = lambda: sys.exit(7)"
    )
    assert "sys.exit(7)" in str(failed)


# -- tracebacks ---------------------------------------------------------------------------------------


def test_a_traceback_keeps_what_the_users_code_called() -> None:
    """Only what is in front of it goes."""
    try:
        int("a")
    except ValueError as error:
        text = format_user_traceback(error)
    assert text.startswith("Traceback (most recent call last):\n")
    assert "test_worker_application.py" in text
    assert text.endswith("ValueError: invalid literal for int() with base 10: 'a'\n")


def test_an_error_without_a_traceback() -> None:
    """There is nothing to cut."""
    assert format_user_traceback(ValueError("a")) == "ValueError: a\n"


def test_a_cause_is_kept() -> None:
    """It is half of the explanation."""
    try:
        try:
            int("a")
        except ValueError as error:
            raise RuntimeError("b") from error
    except RuntimeError as error:
        text = format_user_traceback(error)
    assert "direct cause" in text
    assert text.endswith("RuntimeError: b\n")


def test_a_project_whose_name_begins_like_ours_is_not_ours() -> None:
    """A folder beside ours."""
    import srvctl

    file = srvctl.__file__.replace("__init__.py", "").rstrip("/") + "_site/app.py"
    code = compile("def site():\n    1 / 0\nsite()", file, "exec")
    try:
        exec(code, {})
    except ZeroDivisionError as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        text = format_user_traceback(error)
    assert text.count("_site/app.py") == 2
