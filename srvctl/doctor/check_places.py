"""Whether files can be written, addresses be listened on, and certificates be shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.doctor.finding import Finding, note, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.doctor.facts import Address, Certificate, Facts
    from srvctl.settings.groups import Settings

#: Days before the end of a certificate: most are renewed 30 days before, so by 14 something is wrong.
_SOON: Final = 30
_VERY_SOON: Final = 14
_EVERYBODY: Final = "*"


def files(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge what srvctl writes beside the log."""
    places = facts.places
    if places.control is None:
        yield note(
            "control socket", "control.socket is none: srvctl's commands cannot reach it, only signals"
        )
    elif places.control.reason:
        yield warning(
            "control socket",
            "there is no place for it, so srvctl reload and the like cannot reach it: "
            f"{places.control.reason}",
            "RuntimeDirectory=srvctl in the unit, or --control-socket PATH",
        )
    else:
        yield ok("control socket", places.control.path)
    if places.ledger is not None and places.ledger.reason:
        yield warning(
            "ledger",
            f"deaths of workers are forgotten at a restart: {places.ledger.reason}",
            "StateDirectory=srvctl in the unit, or --ledger-file PATH",
        )
    elif places.ledger is not None:
        yield ok("ledger", places.ledger.path)
    if places.pid_file is not None and places.pid_file.reason:
        yield problem("pid file", places.pid_file.reason, "--pid-file in a directory that can be written")


def logs(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge where the log goes."""
    for topic, place, flag in (
        ("log", facts.places.log, "--log-file"),
        ("access log", facts.places.access_log, "--access-log-file"),
    ):
        if place is not None and place.reason:
            yield problem(topic, place.reason, f"{flag} in a directory that can be written")
        elif place is not None:
            yield ok(topic, place.path)
    here = facts.surroundings
    if settings.log.file == "-" and here.stdout == "pipe" and here.stdout_blocks and not settings.log.capture:
        yield warning(
            "log",
            "workers write to a pipe by themselves (log.capture is off), and stand still when nobody reads "
            "it",
            "--log-capture",
        )


def addresses(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge each address."""
    for address in facts.addresses:
        yield _address(address, facts)


def _address(address: Address, facts: Facts) -> Finding:
    if address.reason:
        return problem("address", f"{address.text}: {address.reason}", "--bind in another place")
    if 0 < address.port < facts.kernel.first_free_port and not facts.surroundings.may_bind_low:
        return problem(
            "address",
            f"{address.text}: this user may not listen on ports below {facts.kernel.first_free_port}",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE or a .socket unit of systemd, --cap-add "
            "NET_BIND_SERVICE of "
            "docker, or a port above",
        )
    if address.holder and address.is_ours:
        return note("address", f"{address.text}: {address.holder} serves there, which is a srvctl")
    if address.holder:
        return problem(
            "address", f"{address.text} is in use by {address.holder}", "stop that, or choose another --bind"
        )
    if address.mode:
        return note(
            "address",
            f"{address.text}: every user of this machine can connect (mode {address.mode})",
            "--bind 'unix:PATH?mode=660&group=GROUP', with the group of the proxy",
        )
    return ok("address", f"{address.text} is free")


def certificates(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge each certificate."""
    for certificate in facts.certificates:
        yield _certificate(certificate)
        if not certificate.is_readable and settings.tls.reload_interval:
            yield warning(
                "certificate",
                f"workers run as {settings.workers.user} and may not read {certificate.file} or its key "
                "again, so "
                "they do not see that it was renewed",
                f"chgrp the files to a group of {settings.workers.user}, or srvctl reload after each renewal",
            )


def _certificate(certificate: Certificate) -> Finding:
    days = int(certificate.days)
    if certificate.days < 0:
        return problem("certificate", f"{certificate.file} ended {-days} days ago", "renew it")
    if days < _VERY_SOON:
        return warning("certificate", f"{certificate.file} ends in {days} days", "renew it")
    if days < _SOON:
        return note("certificate", f"{certificate.file} ends in {days} days")
    return ok("certificate", f"{certificate.file} is valid for {days} days")


def trust(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge who may say who the client is."""
    if not settings.proxy.headers or _EVERYBODY not in settings.proxy.forwarded_allow_ips:
        return
    reachable = [address.text for address in facts.addresses if address.is_open]
    if reachable:
        yield warning(
            "proxies",
            "every peer is trusted (proxy.forwarded_allow_ips is *), and others can reach "
            f"{', '.join(reachable)}: "
            "anybody can pretend to be any client",
            "--forwarded-allow-ips with the addresses of your proxies",
        )
