"""Which event loop a name means, and what is said of one that cannot be had."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
import uvloop

from srvctl.errors import AppError
from srvctl.worker.loops import loop_factory_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Forget what a test imports."""
    known, path = set(sys.modules), sys.path.copy()
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]
    sys.path[:] = path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("auto", uvloop.Loop),
        ("uvloop", uvloop.Loop),
        ("asyncio", asyncio.SelectorEventLoop),
        ("none", asyncio.SelectorEventLoop),
        ("uvloop:new_event_loop", uvloop.Loop),
        ("asyncio:SelectorEventLoop", asyncio.SelectorEventLoop),
    ],
)
def test_a_name_means_a_loop(name: str, kind: type) -> None:
    """That a runner can run."""

    async def running() -> object:
        return asyncio.get_running_loop()

    with asyncio.Runner(loop_factory=loop_factory_of(name)) as runner:
        assert type(runner.run(running())) is kind


@pytest.mark.parametrize(("name", "is_refused"), [("auto", False), ("uvloop", True)])
def test_uvloop_is_not_everywhere(monkeypatch: pytest.MonkeyPatch, name: str, is_refused: bool) -> None:
    """Where it is not installed, auto does without."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    if is_refused:
        with pytest.raises(AppError, match="uvloop is not installed"):
            loop_factory_of(name)
    else:
        assert loop_factory_of(name) is asyncio.SelectorEventLoop


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, 'Could not import module "looping".'),
        ("", 'Attribute "make" not found in module "looping".'),
        ("1 / 0", 'Importing "looping" raised ZeroDivisionError.'),
        ("make = 1", '"looping:make" is a int, and cannot be called.'),
    ],
)
def test_a_factory_that_is_not_there(tmp_path: Path, code: str | None, message: str) -> None:
    """It is looked for where the application is."""
    if code is not None:
        (tmp_path / "looping.py").write_text(code)
    with pytest.raises(AppError) as raised:
        loop_factory_of("looping:make", str(tmp_path))
    assert str(raised.value) == f"Error loading the event loop (workers.loop). {message}"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def make():\n  return 1", '"looping:make" returned a int, not an event loop.'),
        ("async def make(): ...", '"looping:make" returned a coroutine, not an event loop.'),
        ("def make():\n  1 / 0", '"looping:make" raised ZeroDivisionError.'),
        ("def make(loop): ...", '"looping:make" raised TypeError.'),
        ("import sys\ndef make():\n  sys.exit(3)", '"looping:make" raised sys.exit(3).'),
    ],
)
def test_a_factory_that_makes_no_loop(tmp_path: Path, code: str, message: str) -> None:
    """As the runner sees it when it asks for one."""
    (tmp_path / "looping.py").write_text(code)
    factory = loop_factory_of("looping:make", str(tmp_path))
    with pytest.raises(AppError) as raised, asyncio.Runner(loop_factory=factory):
        pass
    assert str(raised.value) == f"Error loading the event loop (workers.loop). {message}"
    assert "srvctl/worker" not in raised.value.details
