"""The sample configurations, made from the declarations: every key with its meaning and default."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import PROGRAM, Kind, Setting, catalog, groups, program_catalog, title
from srvctl.settings.display import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """\
# Every setting of srvctl with its default; all may be left out but the target.
# Try it: srvctl check -c {path}
#
# Made by `python -m srvctl.settings.reference`.
"""

#: What a setting is shown with where its default says nothing; commented out but for the target.
_EXAMPLES: Final[dict[str, object]] = {
    "app.target": "examples.fastapi_hello:app",
    "app.env_file": ".env",
    "server.bind": ["127.0.0.1:8000", "unix:/run/srvctl/app.sock?mode=660"],
    "server.uds": "/run/srvctl/app.sock",
    "server.fd": 3,
    "server.pid_file": "/run/srvctl/app.pid",
    "workers.user": "www-data",
    "workers.group": "www-data",
    "workers.umask": "027",
    "workers.nice": 5,
    "workers.cpu_affinity": "auto",
    "hooks.on_boot": "examples.hooks:warm_up",
    "hooks.pre_fork": "examples.hooks:close_connections",
    "hooks.post_fork": "examples.hooks:seed",
    "hooks.on_ready": "examples.hooks:register",
    "hooks.on_drain": "examples.hooks:deregister",
    "hooks.on_exit": "examples.hooks:say_goodbye",
    "http.headers": ["X-Frame-Options: DENY"],
    "tls.certfile": "/etc/srvctl/tls/cert.pem",
    "tls.keyfile": "/etc/srvctl/tls/key.pem",
    "tls.keyfile_password": "secret",
    "tls.ciphers": "ECDHE+AESGCM",
    "tls.ca_certs": "/etc/srvctl/tls/clients.pem",
    "tls.sni": ["api.example.com=/etc/srvctl/tls/api.pem:/etc/srvctl/tls/api.key"],
    "tls.keylog": "/var/lib/srvctl/keys.log",
    "log.level": "info",
    "log.config": "logging.yaml",
    "log.use_colors": True,
    "console.bind": "127.0.0.1:9100",
    "console.token": "at-least-16-characters",
    "console.token_file": "/etc/srvctl/console-token",
    "console.hosts": ["admin.example.com"],
    "metrics.statsd": "127.0.0.1:8125",
    "metrics.otlp": "http://127.0.0.1:4318/v1/metrics",
    "control.group": "operators",
}
#: The same for a program, of which the sample has only a comment.
_EXAMPLES_OF_PROGRAMS: Final[dict[str, object]] = {
    "name": "queue",
    "command": ["rq", "worker", "high", "low"],
    "directory": "/srv/app",
    "environment": ["REDIS_URL=redis://localhost:6379/0"],
    "user": "www-data",
    "group": "www-data",
    "bind": ["unix:/run/srvctl/queue.sock"],
    "after": ["workers"],
}
PROGRAMS_TITLE: Final = "Processes beside the workers, in any language"
#: What every program has to say.
REQUIRED: Final = ("name", "command")
_ACTIVE_EXAMPLE: Final = "app.target"
_WIDTH: Final = 100


def toml(path: str) -> str:
    """Return the sample as TOML; ``path`` is where it will be."""
    parts = [_HEAD.format(path=path)]
    for group in groups():
        parts += [f"\n[{group}]  # {title(group)}\n", _entries(group, indent="", assign=" = ")]
    heading = f"\n# {PROGRAMS_TITLE}: a table for each.\n# [[{PROGRAM}]]\n"
    return "".join([*parts, heading, *_program(first="", indent="", assign=" = ")])


def yaml(path: str) -> str:
    """Return the sample as YAML; ``path`` is where it will be."""
    parts = [_HEAD.format(path=path)]
    for group in groups():
        parts += [f"\n{group}:  # {title(group)}\n", _entries(group, indent="  ", assign=": ")]
    heading = f"\n# {PROGRAMS_TITLE}: an item for each.\n# {PROGRAM}:\n"
    return "".join([*parts, heading, *_program(first="  - ", indent="    ", assign=": ")])


def _entries(group: str, *, indent: str, assign: str) -> str:
    return "\n".join(
        "".join(f"{indent}# {line}\n" for line in wrap(_comment(setting), _WIDTH))
        + f"{indent}{_assignment(setting, assign)}\n"
        for setting in catalog().values()
        if setting.group == group
    )


def _program(*, first: str, indent: str, assign: str) -> Iterator[str]:
    """Yield the lines of a program, all of them comments; the first assignment begins with ``first``."""
    for number, setting in enumerate(program_catalog().values()):
        yield "#\n" if number else ""
        yield "".join(f"# {line}\n" for line in wrap(help_of_program(setting), _WIDTH))
        value = _EXAMPLES_OF_PROGRAMS.get(setting.name, setting.default)
        if setting.kind is Kind.DURATION:
            value = format_value(setting, value)
        yield f"# {indent if number else first}{setting.name}{assign}{json.dumps(value)}\n"


def help_of_program(setting: Setting) -> str:
    """Return the help of a setting of a program, with the words that it takes if they are not in it."""
    text = setting.option.help
    is_known = all(word in text for word in setting.choices)
    return text if is_known else f"{text} One of {', '.join(setting.choices)}."


def _comment(setting: Setting) -> str:
    words = f" One of {', '.join(setting.choices)}." if setting.kind is Kind.CHOICE else ""
    return setting.option.help + words


def _assignment(setting: Setting, assign: str) -> str:
    """Write ``key = value``. A JSON scalar or array means the same in TOML and in YAML."""
    if setting.key in _EXAMPLES:
        hidden = "" if setting.key == _ACTIVE_EXAMPLE else "# "
        return f"{hidden}{setting.name}{assign}{json.dumps(_EXAMPLES[setting.key])}"
    value = setting.default
    if setting.kind in (Kind.DURATION, Kind.SIZE):
        value = format_value(setting, value)
    return f"{setting.name}{assign}{json.dumps(value)}"
