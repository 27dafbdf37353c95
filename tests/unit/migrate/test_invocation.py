"""Where the server is in a command line, and what is said of whatever stands around it."""

from __future__ import annotations

import pytest

from srvctl.migrate.command import NothingFoundError
from tests.unit.migrate.reading import read_line, read_words


@pytest.mark.parametrize(
    "line",
    [
        "uvicorn main:app --port 9000",
        "/srv/venv/bin/uvicorn main:app --port=9000",
        "exec uvicorn main:app --port 9000",
        "python -m uvicorn main:app --port 9000",
        "exec /usr/bin/python3.12 -u -m uvicorn main:app --port 9000",
        "sh -c 'exec uvicorn main:app --port 9000'",
        'bash -ec "cd /srv && uvicorn main:app --port 9000"',
        "env -i A=1 uvicorn --port 9000 -- main:app",
        "UVICORN_PORT=9000 uvicorn main:app",
        "UVICORN_PORT=1 UVICORN_APP=a:b uvicorn main:app --port 9000",
        "poetry run uvicorn main:app --port 9000",
        "tini -- uv run python -m uvicorn main:app --port 9000",
        "pip install uvicorn && alembic upgrade head && uvicorn main:app --port 9000",
        "export UVICORN_PORT=9000; uvicorn main:app",
        "export PORT=9000; uvicorn main:app --port $PORT",
        "uvicorn main:app --port ${PORT:-9000} > log 2>&1",
    ],
)
def test_the_server_is_found(line: str) -> None:
    assert read_line(line).values == {"app.target": "main:app", "server.port": 9000}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("poetry run uvicorn main:app", "poetry run"),
        ("opentelemetry-instrument python -m uvicorn main:app", "opentelemetry-instrument"),
        ("coverage run -m uvicorn main:app", "coverage run"),
        ("alembic upgrade head && uvicorn main:app", "alembic upgrade head"),
        ("sh -c 'cd /srv; uvicorn main:app'", "cd /srv"),
        ("UVICORN_PORT=1 uvicorn main:app", "UVICORN_PORT"),
        ("A=1 B=2 uvicorn main:app", "A, B"),
        ("uvicorn main:app other:app", "other:app"),
        ("uvicorn", "APP"),
    ],
)
def test_what_stands_around_it_is_not_forgotten(line: str, what: str) -> None:
    assert what in read_line(f"{line} --workers 2").attention


@pytest.mark.parametrize(
    "line", ["python main.py", "pip install uvicorn", "sh -c 'echo uvicorn'", "sh run.sh", ""]
)
def test_a_line_without_a_server_is_no_guess(line: str) -> None:
    with pytest.raises(NothingFoundError, match="calls no uvicorn"):
        read_line(line)


def test_words_that_are_split_already_are_not_split_again() -> None:
    read = read_words("uvicorn", "main:app", "--header", "A: b && c", "--port", "${PORT:-9}")
    assert read.values["http.headers"] == ["A: b && c"]
    assert read.values["server.port"] == 9
    assert read.attention["--port"].endswith("set SRVCTL_SERVER__PORT")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (
            "fastapi run app/main.py --port 80",
            {"app.target": "app.main:app", "server.host": "0.0.0.0", "server.port": 80},
        ),
        ("fastapi dev main.py --app api", {"app.target": "main:api", "reload.enabled": True}),
        (
            "fastapi run -e a.b:c --no-proxy-headers",
            {"app.target": "a.b:c", "proxy.headers": False, "server.host": "0.0.0.0"},
        ),
    ],
)
def test_fastapis_own_command_is_uvicorn_with_other_defaults(line: str, values: dict[str, object]) -> None:
    assert read_line(line).values == values
