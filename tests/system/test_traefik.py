"""The samples for Traefik, as far as they can be judged without it: Debian has no package, so it is not run.

The names are those of its reference of all options, docs/content/reference/*-configuration/file.yaml in its
repository, of which only what the samples use is written down here.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from srvctl.settings.groups import TimeoutSettings
from tests.support.front_proxy import CONFIGS

FOLDER = CONFIGS / "traefik"
#: Keys that there are, by the path they are at; ``*`` is a name that users choose, ``[]`` an item of a list.
STATIC = {
    "": {"entryPoints", "providers"},
    "entryPoints.*": {"address", "transport", "forwardedHeaders", "proxyProtocol"},
    "entryPoints.*.transport": {"respondingTimeouts", "lifeCycle"},
    "entryPoints.*.transport.respondingTimeouts": {"readTimeout", "writeTimeout", "idleTimeout"},
    "entryPoints.*.transport.lifeCycle": {"requestAcceptGraceTimeout", "graceTimeOut"},
    "entryPoints.*.forwardedHeaders": {"insecure", "trustedIPs"},
    "providers": {"file"},
    "providers.file": {"filename", "directory", "watch"},
}
DYNAMIC = {
    "": {"http", "tcp"},
    "http": {"routers", "middlewares", "services", "serversTransports"},
    "http.routers.*": {"entryPoints", "rule", "service", "middlewares", "priority", "tls"},
    "http.middlewares.*": {"retry"},
    "http.middlewares.*.retry": {"attempts", "initialInterval"},
    "http.services.*": {"loadBalancer"},
    "http.services.*.loadBalancer": {"servers", "passHostHeader", "serversTransport", "healthCheck"},
    "http.services.*.loadBalancer.servers[]": {"url"},
    "http.services.*.loadBalancer.healthCheck": {"path", "port", "interval", "timeout"},
    "http.serversTransports.*": {"maxIdleConnsPerHost", "forwardingTimeouts"},
    "http.serversTransports.*.forwardingTimeouts": {
        "dialTimeout",
        "idleConnTimeout",
        "responseHeaderTimeout",
    },
    "tcp": {"routers", "services"},
    "tcp.routers.*": {"entryPoints", "rule", "service", "tls"},
    "tcp.routers.*.tls": {"passthrough"},
    "tcp.services.*": {"loadBalancer"},
    "tcp.services.*.loadBalancer": {"servers", "proxyProtocol"},
    "tcp.services.*.loadBalancer.proxyProtocol": {"version"},
    "tcp.services.*.loadBalancer.servers[]": {"address"},
}
NAMED = {"entryPoints", "http.routers", "http.middlewares", "http.services", "http.serversTransports"} | {
    "tcp.routers",
    "tcp.services",
}


def unknown(tree: Any, known: dict[str, set[str]], path: str = "") -> list[str]:
    """Return the paths of all keys that Traefik has none of."""
    if isinstance(tree, list):
        return [name for item in tree for name in unknown(item, known, f"{path}[]")]
    if not isinstance(tree, dict):
        return []
    found = []
    for key, value in tree.items():
        below = f"{path}.{'*' if path in NAMED else key}".lstrip(".")
        if path not in NAMED and key not in known.get(path, set()):
            found.append(below)
        found += unknown(value, known, below)
    return found


def load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def the_part_for_tls() -> Any:
    """What the comment at the end of the sample says."""
    text = (FOLDER / "dynamic.yaml").read_text("utf-8")
    return yaml.safe_load(re.sub(r"^# ?", "", text[text.index("# tcp:") :], flags=re.MULTILINE))


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)(ms|s)", text)
    assert found is not None, text
    return int(found[1]) / (1000 if found[2] == "ms" else 1)


def test_every_key_is_one_of_traefik() -> None:
    assert unknown(load("traefik.yaml"), STATIC) == []
    assert unknown(load("dynamic.yaml"), DYNAMIC) == []
    assert unknown(the_part_for_tls(), DYNAMIC) == []


@pytest.mark.parametrize("key", ["healthcheck", "retries"])
def test_a_key_that_it_does_not_have_is_found(key: str) -> None:
    """The test above can fail."""
    tree = load("dynamic.yaml")
    tree["http"]["services"]["srvctl"]["loadBalancer"][key] = 1
    assert unknown(tree, DYNAMIC) == [f"http.services.*.loadBalancer.{key}"]


def test_each_part_names_parts_that_there_are() -> None:
    static, dynamic = load("traefik.yaml"), load("dynamic.yaml")["http"]
    [router] = dynamic["routers"].values()
    assert set(router["entryPoints"]) <= set(static["entryPoints"])
    assert set(router["middlewares"]) <= set(dynamic["middlewares"])
    service = dynamic["services"][router["service"]]["loadBalancer"]
    assert service["serversTransport"] in dynamic["serversTransports"]


def test_traefik_gives_an_idle_connection_up_first() -> None:
    [transport] = load("dynamic.yaml")["http"]["serversTransports"].values()
    assert seconds(transport["forwardingTimeouts"]["idleConnTimeout"]) < TimeoutSettings().keep_alive
