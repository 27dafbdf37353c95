"""A rehearsal touches nothing of a service that runs, and is otherwise what the user has."""

from __future__ import annotations

import json
from pathlib import Path

from srvctl.rehearse.private import environment, in_groups, rehearsed
from srvctl.settings.groups import (
    AppSettings,
    BroadcastSettings,
    ConsoleSettings,
    HookSettings,
    LogSettings,
    MetricsSettings,
    ReloadSettings,
    ServerSettings,
    Settings,
    TimeoutSettings,
    TlsSettings,
    WorkersSettings,
)
from srvctl.settings.load import load

FOLDER = Path("/tmp/folder")
THEIRS = Settings(
    app=AppSettings(target="shop:app", factory=True, interface="wsgi"),
    server=ServerSettings(bind=("0.0.0.0:80",), name="shop", pid_file="/run/shop.pid", backlog=99),
    workers=WorkersSettings(count=3, preload="off"),
    reload=ReloadSettings(enabled=True, bake=0.5),
    hooks=HookSettings(on_ready="shop:ready", on_exit="shop:bye"),
    timeouts=TimeoutSettings(drain_delay=2.0),
    tls=TlsSettings(certfile="cert.pem"),
    broadcast=BroadcastSettings(url="redis://prod:6379/0"),
    log=LogSettings(file="/var/log/shop.log", access_file="/var/log/access.log"),
    console=ConsoleSettings(bind="127.0.0.1:9100", token="secret"),
    metrics=MetricsSettings(statsd="prod:8125"),
)


def test_nothing_of_the_real_instance_is_left(tmp_path: Path) -> None:
    values, notes = rehearsed(THEIRS, FOLDER, "rehearsal-1")
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps(in_groups(values)))
    found = load({}, {}, file).settings
    assert (found.server.bind, found.server.name, found.server.pid_file) == (
        ("127.0.0.1:0",),
        "rehearsal-1",
        None,
    )
    assert found.server.backlog == 99
    assert (found.tls, found.console, found.metrics) == (TlsSettings(), ConsoleSettings(), MetricsSettings())
    assert (found.log.file, found.log.access_file, found.broadcast.url) == ("-", "/dev/null", "")
    assert found.control.socket == f"{FOLDER}/control.sock"
    assert found.ledger.file == f"{FOLDER}/ledger"
    assert (found.reload.enabled, found.reload.bake) == (False, 0.5)
    for word in ("TLS", "broadcast.url", "log.file", "--reload"):
        assert any(word in note for note in notes), word


def test_everything_else_is_what_the_user_has(tmp_path: Path) -> None:
    values, _ = rehearsed(THEIRS, FOLDER, "rehearsal-1")
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps(in_groups(values)))
    found = load({}, {}, file).settings
    assert (found.app, found.workers, found.timeouts) == (THEIRS.app, THEIRS.workers, THEIRS.timeouts)
    assert found.hooks.on_exit == "shop:bye"
    assert rehearsed(Settings(), FOLDER, "x")[1] == []


def test_variables_do_not_overrule_the_rehearsal() -> None:
    theirs = {
        "SRVCTL_SERVER__BIND": ":80",
        "UVICORN_PORT": "1",
        "WEB_CONCURRENCY": "9",
        "NOTIFY_SOCKET": "/run/notify",
        "LISTEN_FDS": "1",
        "DATABASE_URL": "postgres://",
    }
    left = environment(theirs, FOLDER)
    assert left == {
        "DATABASE_URL": "postgres://",
        "RUNTIME_DIRECTORY": str(FOLDER),
        "STATE_DIRECTORY": str(FOLDER),
    }
