"""Files for containers: a Dockerfile with what it must not take in, and a service for Compose.

The exec form, so that signals reach srvctl; no root; nothing in the image that only builds; a health check.
`configs/docker` is what they are for an application that is called shop.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from srvctl.init.plan import commented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.init.plan import Plan

#: A number, because Kubernetes can tell only of a number that it is not root's.
USER_ID: Final = 10001
RUNTIME: Final = "/run/srvctl"
STATE: Final = "/var/lib/srvctl"
#: What a worker is reckoned with unless its settings say more, as by `srvctl init kubernetes`.
_WORKER: Final = 256 * 2**20
_CPUS: Final = 2  #: and so many workers, if nobody says how many

_DOCKERFILE: Final = """\
ARG PYTHON_IMAGE=python:{python}-slim

# What is installed. Compilers, where a package has no wheel, stay in this stage.
FROM ${{PYTHON_IMAGE}} AS build
# Of Debian, as in --build-arg BUILD_PACKAGES="build-essential libpq-dev".
ARG BUILD_PACKAGES=""
RUN if [ -n "${{BUILD_PACKAGES}}" ]; then \\
        apt-get update && apt-get install -y --no-install-recommends ${{BUILD_PACKAGES}}; \\
    fi
RUN python -m venv /opt/venv
# Of what changes seldom first, so that it is not installed anew for each change of the code.
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check srvctl -r /tmp/requirements.txt

# What runs.
FROM ${{PYTHON_IMAGE}}
RUN groupadd --gid {user} srvctl \\
    && useradd --uid {user} --gid {user} --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \\
        srvctl \\
    && install -d -o {user} -g {user} -m 700 {runtime} {state}
ENV PATH=/opt/venv/bin:$PATH \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1 \\
    RUNTIME_DIRECTORY={runtime} \\
    STATE_DIRECTORY={state}
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
# Nobody can write there when it runs, so it is compiled here.
RUN python -m compileall -q .
LABEL org.opencontainers.image.title={label} \\
      org.opencontainers.image.description={description}
USER {user}:{user}
EXPOSE {ports}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period={start}s CMD ["srvctl", "healthcheck"]

# In the exec form srvctl is process 1: it needs no --init, for it passes signals on and reaps orphans.
ENTRYPOINT ["srvctl", "run"]
CMD {command}
"""

_IGNORED: Final = """\
# What is not for the image: secrets, history, what is made anew.
.git
.env
.env.*
*.pem
*.key
.venv
venv
**/__pycache__
**/*.pyc
.pytest_cache
.mypy_cache
.ruff_cache
Dockerfile
.dockerignore
compose.yaml
"""

_COMPOSE: Final = """\
services:
  {label}:
    build: .
    image: {label}
    ports:
{ports}{environment}    # Nothing can be written but what is named here; the volume keeps why workers died.
    read_only: true
    tmpfs:
      - /tmp
    volumes:
      - state:{state}
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
    # With --workers auto, srvctl has as many workers as fit into both.
    cpus: {cpus}
    mem_limit: {memory}m
    memswap_limit: {memory}m
    pids_limit: 512
    # Longer than srvctl's own deadlines together: anything less cuts requests off.
    stop_grace_period: {stop}s
    healthcheck:
      test: ["CMD", "srvctl", "healthcheck"]
      interval: 10s
      timeout: 10s
      retries: 3
      start_period: {start}s
    restart: unless-stopped

volumes:
  state:
"""


def files(plan: Plan) -> dict[str, str]:
    """Return the Dockerfile, and the list of what it leaves out."""
    command = plan.words_in_container(config_in_container(plan))
    ports = [plan.port_in_container, *plan.ports_in_container]
    head = [
        "srvctl as the entrypoint of a container. Beside it belong the code and requirements.txt.",
        "",
        f"Build:  docker build -t {plan.label} .",
        f"Run:    docker run --stop-timeout {plan.seconds_to_stop()} -p {plan.port}:{ports[0]} {plan.label}",
        "Reload: docker kill --signal HUP CONTAINER",
        *(f"Secrets are not written here; give docker run -e {name}=..." for name in plan.secrets),
    ]
    text = _DOCKERFILE.format(
        python=plan.python,
        label=_quoted(plan.label),
        description=_quoted(f"{plan.settings.app.target}, served by srvctl"),
        user=USER_ID,
        runtime=RUNTIME,
        state=STATE,
        ports=" ".join(str(port) for port in dict.fromkeys(ports)),
        start=plan.seconds_to_start,
        command=json.dumps(command, ensure_ascii=False),
    )
    return {"Dockerfile": commented(head).replace("# \n", "#\n") + text, ".dockerignore": _IGNORED}


def compose_files(plan: Plan) -> dict[str, str]:
    """Return the service for Compose, which builds and runs what `files` describes."""
    inside, *others = dict.fromkeys([plan.port_in_container, *plan.ports_in_container])
    published = {plan.port: inside, **{port: port for port in others}}
    text = _COMPOSE.format(
        label=plan.label,
        ports="".join(f'      - "{outside}:{port}"\n' for outside, port in published.items()),
        environment=_environment({name: f"${{{name}:?is not set}}" for name in plan.secrets}),
        state=STATE,
        cpus=_CPUS,
        memory=_memory(plan) // 2**20,
        stop=plan.seconds_to_stop(),
        start=plan.seconds_to_start,
    )
    head = [
        "A service for Compose, of the Dockerfile beside it. `srvctl init docker` and `srvctl init compose`",
        "write both for an application of your own.",
        "",
        "Start:  docker compose up --build --wait",
        f"Reload: docker compose kill --signal HUP {plan.label}",
        f"Look:   docker compose exec {plan.label} srvctl status",
    ]
    return {"compose.yaml": commented(head).replace("# \n", "#\n") + text}


def _memory(plan: Plan) -> int:
    """Return the bytes for all workers, and for those that replace others meanwhile."""
    workers = plan.settings.workers
    count = workers.count if isinstance(workers.count, int) else _CPUS
    return (workers.max_memory or _WORKER) * (max(count, workers.max) + workers.max_surge)


def _environment(variables: Mapping[str, str]) -> str:
    """Return the part for variables; nothing without any."""
    if not variables:
        return ""
    return "    environment:\n" + "".join(
        f"      {name}: {json.dumps(value)}\n" for name, value in variables.items()
    )


def _quoted(text: str) -> str:
    """Return a text as a word of a Dockerfile, in which nothing is replaced."""
    return json.dumps(text.replace("$", "\\$"), ensure_ascii=False).replace("\\\\$", "\\$")


def config_in_container(plan: Plan) -> str:
    """Return where the file of settings is in the image; empty without one."""
    if not plan.config:
        return ""
    file = PurePath(plan.config)
    inside = file.relative_to(plan.directory) if file.is_relative_to(plan.directory) else file
    return str(inside if not inside.is_absolute() else PurePath(file.name))
