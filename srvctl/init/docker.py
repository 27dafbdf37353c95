"""A Dockerfile: the exec form, so that signals reach srvctl; no root; a health check."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from srvctl.init.plan import commented

if TYPE_CHECKING:
    from srvctl.init.plan import Plan

#: A number, because Kubernetes can tell only of a number that it is not root's.
USER_ID: Final = 10001
RUNTIME: Final = "/run/srvctl"
STATE: Final = "/var/lib/srvctl"


def files(plan: Plan) -> dict[str, str]:
    """Return the Dockerfile."""
    config = config_in_container(plan)
    command = json.dumps(["srvctl", "run", *plan.words_in_container(config)], ensure_ascii=False)
    stop = plan.seconds_to_stop()
    head = [
        f"Build: docker build -t {plan.label} .",
        f"Run:   docker run --stop-timeout {stop} -p {plan.port}:{plan.port_in_container} {plan.label}",
        "Reload: docker kill --signal HUP CONTAINER",
        *(f"Secrets are not written here; give docker run -e {name}=..." for name in plan.secrets),
    ]
    lines = [
        f"FROM python:{plan.python}-slim",
        "",
        "WORKDIR /app",
        "# Of what changes seldom first, so that it is not installed anew for each change of the code.",
        "COPY requirements.txt .",
        "RUN pip install --no-cache-dir srvctl -r requirements.txt",
        "",
        f"RUN useradd --system --no-create-home --uid {USER_ID} srvctl \\",
        f"    && install -d -o srvctl -m 700 {RUNTIME} {STATE}",
        f"ENV RUNTIME_DIRECTORY={RUNTIME} STATE_DIRECTORY={STATE}",
        "",
        "COPY . .",
        f"USER {USER_ID}",
        f"EXPOSE {plan.port_in_container}",
        "STOPSIGNAL SIGTERM",
        f"HEALTHCHECK --interval=10s --timeout=10s --start-period={plan.seconds_to_start}s \\",
        '    CMD ["srvctl", "healthcheck"]',
        "",
        "# Needs no --init: srvctl passes signals on and reaps orphans.",
        f"CMD {command}",
    ]
    return {"Dockerfile": commented(head) + "\n" + "\n".join(lines) + "\n"}


def config_in_container(plan: Plan) -> str:
    """Return where the file of settings is in the image; empty without one."""
    if not plan.config:
        return ""
    file = PurePath(plan.config)
    inside = file.relative_to(plan.directory) if file.is_relative_to(plan.directory) else file
    return str(inside if not inside.is_absolute() else PurePath(file.name))
