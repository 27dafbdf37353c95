"""Each setting of gunicorn's: taken over, different, or without counterpart, in a sentence each."""

from __future__ import annotations

import pytest
from gunicorn.config import KNOWN_SETTINGS  # type: ignore[import-untyped] # its stubs are a package

from srvctl.migrate.gunicorn_differences import DIFFERENT, SAME
from srvctl.migrate.gunicorn_lacks import HOOKS, WITHOUT
from srvctl.migrate.gunicorn_options import FLAGS, NAMES, REPEATABLE
from srvctl.migrate.gunicorn_settings import SPECIAL
from srvctl.migrate.kinds import Kind
from srvctl.settings.catalog import catalog
from tests.unit.migrate.reading import read_line, read_text

WSGI = {"app.interface": "wsgi", "app.wsgi_threads": 1}
#: Settings that other modules look at: the kind of worker, and logs.
OF_WORKERS = {"worker_class", "threads", "timeout", "keepalive", "worker_connections"}
OF_LOGS = {"accesslog", "access_log_format", "errorlog", "loglevel"} | {
    "logconfig",
    "logconfig_json",
    "logconfig_dict",
}
#: A value that is no default, where x is none.
VALUES = {
    "bind": "0.0.0.0:9",
    "worker_class": "gthread",
    "asgi_loop": "uvloop",
    "asgi_lifespan": "on",
    "loglevel": "debug",
    "forwarded_allow_ips": "*",
    "proxy_allow_ips": "10.0.0.1",
    "protocol": "uwsgi",
    "http_protocols": "h2",
    "access_log_format": "%(h)s",
    "accesslog": "a.log",
    "cert_reqs": "2",
    "umask": "007",
    "root_path": "/api",
    "user": "nobody",
    "group": "nogroup",
    "control_socket": "/run/a.ctl",
    "raw_env": "A=1",
}
LINE = "gunicorn a:b --access-logfile -"


def test_every_setting_of_gunicorns_has_one_place() -> None:
    known = {setting.name for setting in KNOWN_SETTINGS}
    places = [set(SAME), set(SPECIAL), set(WITHOUT), set(HOOKS), OF_WORKERS, OF_LOGS]
    assert set().union(*places) == known
    assert sum(map(len, places)) == len(known)
    assert set(SAME.values()) <= set(catalog())
    assert set(DIFFERENT) <= set(SAME)
    assert all(len(why) > 20 for why in (*WITHOUT.values(), *HOOKS.values()))


def test_every_flag_of_gunicorns_is_known() -> None:
    assert {(flag.text, flag.name) for flag in FLAGS} == {
        (text, setting.name) for setting in KNOWN_SETTINGS for text in setting.cli or ()
    }
    assert {setting.name for setting in KNOWN_SETTINGS} == NAMES
    assert {setting.name for setting in KNOWN_SETTINGS if setting.action == "append"} == REPEATABLE
    switches = {"store_true", "store_const"}
    takes_nothing = {flag.text for flag in FLAGS if flag.takes.value.startswith("nothing")}
    assert takes_nothing == {
        text for setting in KNOWN_SETTINGS if setting.action in switches for text in setting.cli
    }


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.text)
def test_every_flag_is_answered(flag) -> None:  # type: ignore[no-untyped-def] # a Flag
    plain = read_line("gunicorn -k asgi a:b")
    value = "" if flag.takes.value.startswith("nothing") else VALUES.get(flag.name, "9")
    read = read_line(f"gunicorn -k asgi a:b {flag.text} {value}")
    if flag.name == "initgroups":
        return  # srvctl does so by itself
    said = (read.values, read.defaults, read.different, read.missing, read.attention)
    assert said != (plain.values, plain.defaults, plain.different, plain.missing, plain.attention)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", {}),
        ("-w 4 -b :8000", {"workers.count": 4, "server.bind": ["0.0.0.0:8000"]}),
        ("-w4 -b:8000 --back 5", {"workers.count": 4, "server.bind": ["0.0.0.0:8000"], "server.backlog": 5}),
        ("-b a:1 -b [::1]:2,tcp://c:3", {"server.bind": ["a:1", "[::1]:2", "c:3"]}),
        ("-b localhost -b [::1]", {"server.bind": ["localhost:8000", "[::1]:8000"]}),
        ("-b fd://3", {"server.bind": ["fd://3"]}),
        ("-b unix:/s", {"server.bind": ["unix:/s?mode=666"]}),
        ("-b unix:///s -m 007 ", {"server.bind": ["unix:/s?mode=660"]}),
        (
            "-b unix:/s -m 0o27 -u www -g web",
            {
                "server.bind": ["unix:/s?mode=640&user=www&group=web"],
                "workers.user": "www",
                "workers.group": "web",
            },
        ),
        ("--threads 8", {"app.wsgi_threads": 8}),
        ("-k gthread", {}),
        ("--preload --reload", {"workers.preload": "on", "reload.enabled": True}),
        ("--reload -w 4", {"reload.enabled": True}),
        ("--graceful-timeout 60", {"timeouts.graceful_shutdown": "60s"}),
        ("--access-logfile a.log", {"log.access_file": "a.log"}),
        ("--access-logformat '%(h)s %({x-id}i)s'", {"log.access_format": "%(h)s %({x-id}i)s"}),
        ("--log-level DEBUG", {"log.level": "debug"}),
        ("--chdir /srv", {"app.dir": "/srv"}),
        ("--pythonpath /srv", {"app.dir": "/srv"}),
        ("--limit-request-line 8190", {"limits.request_line_size": "8190"}),
        ("--limit-request-line 0", {}),
        (
            "--max-requests 10 --max-requests-jitter 5",
            {"workers.max_requests": 10, "workers.max_requests_jitter": 5},
        ),
        ("--proxy-protocol", {"proxy.protocol": "on"}),
        ("--proxy-protocol off", {}),
        (
            "--proxy-allow-from 10.0.0.1 --forwarded-allow-ips 10.0.0.2",
            {"proxy.forwarded_allow_ips": ["10.0.0.1", "10.0.0.2"]},
        ),
        ("--no-control-socket", {"control.socket": "none"}),
        ("-t 5 --keep-alive 9", {}),
        ("-n blog -p /run/p", {"server.name": "blog", "server.pid_file": "/run/p"}),
    ],
)
def test_what_options_mean_for_a_wsgi_application(line: str, values: dict[str, object]) -> None:
    defaults = {"app.target": "a:b", **WSGI, "log.access_format": "combined"}
    assert read_line(f"{LINE} {line}").values == {**defaults, **values}


@pytest.mark.parametrize(
    ("worker", "values"),
    [
        ("uvicorn.workers.UvicornWorker", {}),
        ("uvicorn_worker.UvicornWorker", {}),
        ("app.workers.MyUvicornWorker", {}),
        ("uvicorn_worker.UvicornH11Worker", {"http.codec": "h11", "workers.loop": "asyncio"}),
        ("asgi", {"log.access_format": "combined"}),
    ],
)
def test_an_asgi_worker_has_a_loop_to_watch(worker: str, values: dict[str, object]) -> None:
    read = read_line(f"{LINE} -k {worker} -t 120 --keep-alive 9")
    asgi = {"app.target": "a:b", "health.hang_timeout": "120s", "timeouts.keep_alive": "9s"}
    assert read.values == {**asgi, **values}
    assert "-t" in read.different


def test_a_worker_of_uvicorns_does_not_look_at_everything() -> None:
    read = read_line(f"{LINE} -k uvicorn_worker.UvicornWorker --limit-request-fields 5 --access-logformat x")
    assert read.values == {"app.target": "a:b"}
    assert {"--limit-request-fields", "--access-logformat"} <= set(read.attention)


@pytest.mark.parametrize("worker", ["gevent", "eventlet", "tornado", "gunicorn.workers.ggevent.GeventWorker"])
def test_green_threads_have_no_counterpart(worker: str) -> None:
    read = read_line(f"{LINE} -k {worker}")
    assert "app.wsgi_threads" in read.missing[f"-k {worker}"]
    assert read.values["app.interface"] == "wsgi"


@pytest.mark.parametrize(
    ("app", "values"),
    [
        ("app", {"app.target": "app:application"}),
        ("a.b:c", {"app.target": "a.b:c"}),
        ("'a:make()'", {"app.target": "a:make", "app.factory": True}),
        ("'a:make(1)'", {}),
        ("'a:make('", {}),
    ],
)
def test_an_application_may_be_named_in_many_ways(app: str, values: dict[str, object]) -> None:
    read = read_line(f"gunicorn {app}")
    assert read.values == {**WSGI, "log.access": False, **values}
    assert values or any("factory without arguments" in why for why in read.attention.values())


def test_command_line_beats_variable_beats_file_beats_other_variables() -> None:
    files = {"gunicorn.conf.py": "workers = 2\nthreads = 2\ntimeout = 2\nbacklog = 2\n"}
    line = "WEB_CONCURRENCY=1 GUNICORN_CMD_ARGS='--threads 3 --backlog 3' gunicorn a:b --backlog 4"
    read = read_line(line, files)
    assert (read.values["workers.count"], read.values["app.wsgi_threads"]) == (2, 3)
    assert read.values["server.backlog"] == 4
    assert "directory it is started in" in read.attention["gunicorn.conf.py"]
    assert "gunicorn.conf.py:3 timeout" in read.different


@pytest.mark.parametrize("option", ["-c other.py", "--config=other.py", "-cother.py", "-c file:other.py"])
def test_the_file_that_a_line_names_is_read(option: str) -> None:
    files = {"other.py": "workers = 3", "gunicorn.conf.py": "workers = 2"}
    assert read_line(f"gunicorn a:b {option}", files).values["workers.count"] == 3


@pytest.mark.parametrize("option", ["-c missing.py", "-c python:settings", "-c $CONF"])
def test_a_file_that_cannot_be_read_is_told_of(option: str) -> None:
    assert any("--from" in why for why in read_line(f"gunicorn a:b {option}").attention.values())


def test_a_port_of_the_platform_is_where_gunicorn_listens() -> None:
    assert read_line("PORT=5000 gunicorn a:b").values["server.bind"] == ["0.0.0.0:5000"]
    assert "no bind" in read_line("gunicorn a:b").different


@pytest.mark.parametrize("option", ["--log-config x.ini", "--log-config-json x.json", "--log-syslog"])
def test_logs_that_are_set_up_have_an_access_log(option: str) -> None:
    assert "log.access" not in read_line(f"gunicorn a:b {option}").values
    assert read_line("gunicorn a:b").values["log.access"] is False


def test_what_is_switched_off_needs_no_counterpart() -> None:
    text = "daemon = False\nstatsd_host = None\nreload = False\nworkers = 2\nuser = None\nsendfile = None"
    read = read_text(Kind.GUNICORN, text)
    assert not read.missing
    assert "sendfile" in str(read_text(Kind.GUNICORN, "sendfile = False").missing)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--daemon", "--daemon"),
        ("--statsd-host x:1", "--statsd-host"),
        ("--error-logfile e.log", "--error-logfile e.log"),
        ("--worker-connections 5", "--worker-connections"),
        ("--http-protocols h2,h3", "--http-protocols h2,h3"),
        ("--brand-new=5", "--brand-new=5"),
    ],
)
def test_what_has_no_counterpart(line: str, what: str) -> None:
    assert what in read_line(f"{LINE} {line}").missing


@pytest.mark.parametrize(
    ("line", "what", "why"),
    [
        ("-b 0.0.0.0:$PORT", "-b", "SRVCTL_SERVER__BIND"),
        ("-w 0", "-w", "too small"),
        ("-e A=secret -e B=2", "-e", "sets A, B for"),
        ("--access-logformat '%(nothing)s'", "--access-logformat", "left out"),
        ("--pythonpath a,b", "--pythonpath", "PYTHONPATH=a:b"),
        ("-k some.Worker", "-k some.Worker", "app.interface"),
    ],
)
def test_what_needs_a_person(line: str, what: str, why: str) -> None:
    read = read_line(f"{LINE} {line}")
    assert why in read.attention[what]
    assert "secret" not in str(read.attention)
