"""Files that start a server: Dockerfiles, systemd units, Procfiles, docker-compose files and scripts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.migrate.command import NothingFoundError
from srvctl.migrate.kinds import Kind, kind_of
from tests.unit.migrate.reading import read_text

FASTAPI_DOCS = """\
FROM python:3.9
WORKDIR /code
COPY ./requirements.txt /code/requirements.txt
RUN pip install --no-cache-dir --upgrade -r /code/requirements.txt
COPY ./app /code/app
# If running behind a proxy like Nginx or Traefik
CMD ["uvicorn", "app.main:app", "--proxy-headers", "--host", "0.0.0.0", "--port", "80"]
"""
DJANGO_UNIT = """\
[Unit]
Requires=gunicorn.socket

[Service]
Type=notify
User=someuser
WorkingDirectory=/srv/app
Environment="DJANGO_SETTINGS_MODULE=a.b" 'WEB_CONCURRENCY=3'
EnvironmentFile=-/etc/app.env
ExecStart=
ExecStart=-/srv/venv/bin/gunicorn \\
    --access-logfile - \\
    # a comment in between
    --bind unix:/run/gunicorn.sock \\
    app.wsgi:application
ExecReload=/bin/kill -s HUP $MAINPID
"""


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("Dockerfile", "", Kind.DOCKERFILE),
        ("prod.Dockerfile", "", Kind.DOCKERFILE),
        ("Containerfile.web", "", Kind.DOCKERFILE),
        ("Procfile", "", Kind.PROCFILE),
        ("web.service", "[Service]", Kind.SYSTEMD),
        ("override.conf", "[Service]\nExecStart=x", Kind.SYSTEMD),
        ("gunicorn.conf.py", "", Kind.GUNICORN),
        ("gunicorn.conf", "workers = 2", Kind.GUNICORN),
        ("docker-compose.yml", "services:", Kind.COMPOSE),
        ("start.sh", "", Kind.COMMAND),
        ("entrypoint", "#!/bin/sh\nexec uvicorn a:b", Kind.COMMAND),
        ("image", "FROM python", Kind.DOCKERFILE),
        ("notes.txt", "nothing", None),
    ],
)
def test_a_file_is_known_by_its_name_or_by_what_is_in_it(name: str, text: str, kind: Kind | None) -> None:
    assert kind_of(name, text) is kind


def test_the_dockerfile_of_fastapis_documentation() -> None:
    read = read_text(Kind.DOCKERFILE, FASTAPI_DOCS)
    assert read.values == {"app.target": "app.main:app", "server.host": "0.0.0.0", "server.port": 80}
    assert 'CMD ["srvctl", "run"' in read.attention["file:7 CMD"]


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ('CMD ["uvicorn", "a:b", "--port", "9"]', 9),
        ("CMD uvicorn a:b --port 9", 9),
        ("cmd exec uvicorn a:b \\\n  # why\n\n  --port 9", 9),
        ('ENTRYPOINT ["uvicorn", "a:b"]\nCMD ["--port", "9"]', 9),
        ('ENTRYPOINT uvicorn a:b --port 9\nCMD ["--port", "1"]', 9),
        ('ENTRYPOINT ["./entrypoint.sh"]\nCMD ["uvicorn", "a:b", "--port", "9"]', 9),
        ('ENTRYPOINT ["tini", "--"]\nCMD uvicorn a:b --port 9', 9),
        ('CMD ["sh", "-c", "uvicorn a:b --port ${PORT:-9}"]', 9),
        ("ENV PORT=9\nCMD uvicorn a:b --port $PORT", 9),
        ("ENV PORT 9\nCMD uvicorn a:b --port $PORT", 9),
        ("ARG P=9\nENV X=1 PORT=$P\nCMD uvicorn a:b --port ${PORT:-1}", 9),
        ("ENV UVICORN_PORT=9\nCMD uvicorn a:b", 9),
        ("CMD uvicorn a:b --port 1\nCMD uvicorn a:b --port 9", 9),
        ("CMD uvicorn a:b --port 1\nFROM x\nCMD uvicorn a:b --port 9", 9),
        ("FROM y AS base\nENV PORT=9\nFROM x\nENV PORT=1\nFROM base\nCMD uvicorn a:b --port $PORT", 9),
        ("RUN <<EOF\nCMD uvicorn a:b --port 1\nEOF\nCMD uvicorn a:b --port 9", 9),
        ('FROM y AS b\nCMD ["--port", "1"]\nFROM b\nENTRYPOINT ["uvicorn", "a:b", "--port", "9"]', 9),
    ],
)
def test_what_the_last_stage_starts(text: str, port: int) -> None:
    read = read_text(Kind.DOCKERFILE, f"FROM python:3.12\n{text}\n")
    assert read.values == {"app.target": "a:b", "server.port": port}


def test_what_an_image_sets_for_gunicorn() -> None:
    text = """
FROM python
ENV GUNICORN_CMD_ARGS="--bind=0.0.0.0:9 --workers=2" WEB_CONCURRENCY=5
CMD gunicorn -c /app/gunicorn.conf.py -k uvicorn_worker.UvicornWorker a:b --access-logfile -
"""
    read = read_text(
        Kind.DOCKERFILE, text, {"/app/gunicorn.conf.py": "import os\nkeepalive = 9\nworkers = 7"}
    )
    assert read.values == {
        "app.target": "a:b",
        "server.bind": ["0.0.0.0:9"],
        "workers.count": 2,
        "timeouts.keep_alive": "9s",
    }
    assert "wins over the file" in read.attention["file:3 ENV"]


def test_the_unit_of_djangos_friends() -> None:
    read = read_text(Kind.SYSTEMD, DJANGO_UNIT)
    assert read.values == {
        "app.target": "app.wsgi:application",
        "app.interface": "wsgi",
        "app.wsgi_threads": 1,
        "server.bind": ["systemd:gunicorn.socket"],
        "workers.count": 3,
        "log.access_format": "combined",
    }
    about = "\n".join(read.attention)
    for key in (
        "Type=notify",
        "User=someuser",
        "WorkingDirectory=/srv/app",
        "EnvironmentFile=",
        "ExecReload=",
    ):
        assert key in about
    assert "becomes ExecStart=" in read.attention["file:11 ExecStart="]


@pytest.mark.parametrize(
    ("start", "values"),
    [
        ("/bin/uvicorn a:b --port 9", {"server.port": 9}),
        ("!!/bin/uvicorn a:b --port 9", {"server.port": 9}),
        ("/bin/uvicorn a:b --root-path /%%20", {"app.root_path": "/%20"}),
        ("/bin/uvicorn a:b --uds /run/%i.sock", {}),
        ("/bin/uvicorn a:b --port ${PORT}", {"server.port": 8001}),
        ('/bin/sh -c "uvicorn a:b --port 9"', {"server.port": 9}),
    ],
)
def test_an_exec_start(start: str, values: dict[str, object]) -> None:
    read = read_text(Kind.SYSTEMD, f"[Service]\nEnvironment=PORT=8001\nExecStart={start}\n")
    assert read.values == {"app.target": "a:b", **values}
    if not values:
        assert "%i" in read.attention["--uds"]


def test_a_procfile_has_one_server() -> None:
    text = "release: ./migrate.sh\nweb: gunicorn a:b --access-logfile -\nother: uvicorn c:d --port $PORT\n"
    read = read_text(Kind.PROCFILE, text)
    assert read.values["app.target"] == "a:b"
    assert "left out" in read.attention["file other"]


@pytest.mark.parametrize(
    "service",
    [
        "    command: uvicorn a:b --port 9\n",
        '    command: ["uvicorn", "a:b", "--port", "9"]\n',
        "    entrypoint: uvicorn a:b\n    command: --port 9\n",
        "    environment: {UVICORN_PORT: 9}\n    command: uvicorn a:b\n",
        "    environment: [UVICORN_PORT=9, OTHER]\n    command: uvicorn a:b\n",
        "    command: sh -c 'uvicorn a:b --port $${PORT:-9}'\n",
    ],
)
def test_a_compose_file(service: str) -> None:
    read = read_text(Kind.COMPOSE, f"services:\n  db:\n    image: postgres\n  web:\n{service}")
    assert read.values == {"app.target": "a:b", "server.port": 9}


def test_a_script() -> None:
    text = """#!/bin/sh
set -e
export PORT=9
python manage.py migrate
if [ "$DEV" ]; then
    uvicorn a:b --reload
else
    exec uvicorn a:b \\
        --port $PORT
fi
"""
    read = read_text(Kind.COMMAND, text)
    assert read.values == {"app.target": "a:b", "server.port": 9}
    assert set(read.attention) == {"--port", "python manage.py migrate", "uvicorn a:b --reload"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.DOCKERFILE, "FROM python\nRUN pip install uvicorn\n"),
        (Kind.DOCKERFILE, 'FROM python\nCMD ["./start.sh"]\n'),
        (Kind.DOCKERFILE, ""),
        (Kind.SYSTEMD, "[Unit]\nDescription=x\n"),
        (Kind.SYSTEMD, "[Service]\nExecStart=/bin/true\n"),
        (Kind.PROCFILE, "web: rails s\n"),
        (Kind.COMPOSE, "services:\n  web: {command: rails s}\n"),
        (Kind.COMPOSE, "[1"),
        (Kind.COMPOSE, "services: 3"),
        (Kind.COMMAND, "echo"),
    ],
)
def test_a_file_without_a_server_is_no_guess(kind: Kind, text: str) -> None:
    with pytest.raises(NothingFoundError):
        read_text(kind, text)


_PIECES = ["FROM x", "CMD", "ENTRYPOINT", "ENV", "[Service]", "ExecStart=", "services:", "web:", "command:"]
_PIECES += [
    "uvicorn",
    "gunicorn",
    "fastapi run",
    "-c",
    "-b",
    "--port",
    "-k",
    "=",
    "$A",
    "${A:-",
    "}",
    "$(",
    ")",
]
_PIECES += ["[", '"', "'", "\\", "\n", "#", "a:b", "unix:", "\0", "%i", "<<EOF", "sh -c", "--", "-w4", "é"]


@pytest.mark.parametrize("kind", Kind)
@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)), max_size=12).map(" ".join))
@settings(deadline=None, max_examples=40)
def test_any_text_is_read_or_refused_in_words(kind: Kind, text: str) -> None:
    with suppress(NothingFoundError):
        read_text(kind, text)
