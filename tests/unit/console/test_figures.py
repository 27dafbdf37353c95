"""What is published of an answer of the master: for Prometheus, for StatsD, and which names there are."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from srvctl.console.exposition import Figures, exposition
from srvctl.console.figures import DURATIONS, FIGURES, PROGRAM_STATES
from srvctl.console.statsd import MOST_BYTES, Changes, datagrams
from srvctl.ipc.quantiles import quantile
from srvctl.ipc.scoreboard import BOUNDS
from srvctl.supervisor.programs.places import PlaceState
from tests.support.console import metrics, totals, worker

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
OPENMETRICS = "application/openmetrics-text; version=1.0.0; q=0.5, */*;q=0.1"


def samples(answer: Mapping[str, object], accept: str = "") -> dict[str, float]:
    """Every sample by its name and labels, as a scrape has them."""
    body, content_type = exposition(answer, accept)
    parse = parse_openmetrics if "openmetrics" in content_type else parse_plain
    found: dict[str, float] = {}
    for family in parse(body.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            assert f"{sample.name}{{{labels}}}" not in found, "told twice"
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_both_formats_tell_the_same() -> None:
    answer = {**metrics(), "scrape_duration": 0.004}
    plain, open_ = samples(answer), samples(answer, OPENMETRICS)
    assert plain == open_
    expected = {
        "srvctl_info{name=web,version=0.1.0}": 1,
        "srvctl_up{}": 1,
        "srvctl_uptime_seconds{}": 120.5,
        "srvctl_state{state=running}": 1,
        "srvctl_state{state=stopping}": 0,
        "srvctl_generation{}": 3,
        "srvctl_workers_target{}": 2,
        "srvctl_workers_min{}": 1,
        "srvctl_workers_max{}": 4,
        "srvctl_workers_held{}": 1,
        "srvctl_utilization{}": 0.9,
        "srvctl_scalings_total{direction=up,signal=utilization}": 2,
        "srvctl_workers{state=ready}": 2,
        "srvctl_workers{state=hung}": 0,
        "srvctl_restarts_total{cause=crash}": 1,
        "srvctl_restarts_total{cause=oom}": 0,
        "srvctl_reloads_total{result=failed}": 2,
        "srvctl_reload_running{}": 0,
        "srvctl_log_lost_lines_total{}": 7,
        "srvctl_worker_state{slot=1,state=ready}": 1,
        "srvctl_in_flight{slot=0}": 2,
        "srvctl_connections{slot=0}": 5,
        "srvctl_connections_skew{}": 0.25,
        "srvctl_websockets{slot=0}": 1,
        "srvctl_waiting{slot=0}": 0,
        "srvctl_loop_lag_seconds{slot=0}": 0.001,
        "srvctl_loop_lag_max_seconds{slot=0}": 0.02,
        "srvctl_rss_bytes{slot=0}": 50_000_000,
        "srvctl_cpu{slot=0}": 0.25,
        "srvctl_worker_uptime_seconds{slot=1}": 61,
        # Of the slots, which count on when a worker dies; not of the workers.
        "srvctl_cpu_seconds_total{slot=0}": 3.5,
        "srvctl_requests_total{class=2xx,slot=0}": 91,
        "srvctl_requests_total{class=3xx,slot=0}": 0,
        "srvctl_requests_total{class=5xx,slot=0}": 2,
        "srvctl_requests_total{class=websocket,slot=0}": 7,
        "srvctl_errors_total{slot=0}": 2,
        "srvctl_cut_total{slot=0}": 1,
        "srvctl_slot_restarts_total{slot=0}": 1,
        "srvctl_program_state{index=0,program=queue,state=running}": 1,
        "srvctl_program_state{index=0,program=queue,state=failed}": 0,
        "srvctl_program_restarts_total{index=0,program=queue}": 4,
        "srvctl_console_scrape_duration_seconds{}": 0.004,
        # Over both slots, and in each bucket what is below as well.
        "srvctl_request_duration_seconds_bucket{class=2xx,le=0.0001}": 20,
        "srvctl_request_duration_seconds_bucket{class=2xx,le=0.0005}": 180,
        "srvctl_request_duration_seconds_bucket{class=2xx,le=60.0}": 180,
        "srvctl_request_duration_seconds_bucket{class=2xx,le=+Inf}": 182,
        "srvctl_request_duration_seconds_count{class=2xx}": 182,
        "srvctl_request_duration_seconds_sum{class=2xx}": 123,
        "srvctl_request_duration_seconds_count{class=4xx}": 0,
        "srvctl_request_duration_seconds_count{class=5xx}": 4,
    }
    assert {key: plain.get(key) for key in expected} == expected


@given(
    st.builds(
        metrics,
        st.integers(0, 3),
        name=st.text(st.characters(exclude_categories=["Cs"])),
        uptime=st.floats(0) | st.integers(0, 2**60),
        restarts=st.dictionaries(
            st.sampled_from(["crash", 'a"b', "c\\d", "e\nf", "\xe9"]), st.integers(0, 2**53)
        ),
        bounds=st.just(list(BOUNDS)),
    ),
    st.sampled_from(
        ["", OPENMETRICS, "text/plain; version=1.0.0", "application/openmetrics-text; version=2.0.0"]
    ),
)
def test_the_library_would_write_the_same(answer: dict[str, object], accept: str) -> None:
    """Byte for byte, whatever the names and the numbers are."""
    encode, content_type = choose_encoder(accept)
    assert exposition(answer, accept) == (encode(Figures(answer)), content_type)


def test_two_workers_of_a_slot_are_told_as_one() -> None:
    """While one replaces the other; Prometheus refuses a scrape that tells the same series twice."""
    old = worker(0, state="draining", pid=7, loop_lag=0.5, uptime=900.0, pss=10)
    new = worker(0, state="ready", pid=8, loop_lag=0.1, uptime=2.0, pss=20)
    found = samples(metrics(1, workers=[old, new]))
    assert found["srvctl_worker_state{slot=0,state=draining}"] == 1
    assert found["srvctl_worker_state{slot=0,state=ready}"] == 1
    assert found["srvctl_in_flight{slot=0}"] == 4
    assert found["srvctl_pss_bytes{slot=0}"] == 30
    assert found["srvctl_loop_lag_seconds{slot=0}"] == 0.5
    assert found["srvctl_worker_uptime_seconds{slot=0}"] == 2


def test_every_state_of_a_program_is_told() -> None:
    assert set(PROGRAM_STATES) == {state.value for state in PlaceState}


def test_without_an_answer_the_scrape_says_so() -> None:
    found = samples({})
    assert found["srvctl_up{}"] == 0
    assert {name.partition("{")[0] for name in found if not name.startswith(DURATIONS)} == {"srvctl_up"}


def test_an_accept_of_nonsense_is_answered_in_plain_text() -> None:
    for accept in ("application/openmetrics-text; version=x", "text/plain; version=1.x", ";;;", "a" * 9000):
        body, content_type = exposition(metrics(), accept)
        assert content_type.startswith("text/plain")
        assert b"srvctl_up 1.0" in body


def test_64_workers_are_written_in_time() -> None:
    """The mark for all of it is 20 ms; this tells a mistake of another order, however busy the machine."""
    row = list(range(1, len(BOUNDS) + 2))
    answer = metrics(64)
    for slot in answer["slots"].values():
        slot["answered"] = {"2": row, "3": row, "4": row, "5": row}
    took = []
    for _ in range(5):
        began = time.process_time()
        exposition(answer, OPENMETRICS)
        took.append(time.process_time() - began)
    assert min(took) < 0.05


def test_every_name_is_in_the_documents() -> None:
    """And nothing else is; of each its labels and its meaning."""
    text = (ROOT / "docs/reference/metrics.md").read_text()
    told = re.findall(r"^\| `(srvctl_\w+)` \| (.*?) \| (\w+) \| (.*) \|$", text, re.MULTILINE)
    expected = [
        (
            figure.full_name,
            ", ".join(f"`{label}`" for label in figure.labels),
            str(figure.kind),
            figure.meaning,
        )
        for figure in FIGURES
    ]
    assert [row for row in told if row[0] != DURATIONS] == expected
    scraped = samples({**metrics(workers=[worker(0, pss=1)]), "scrape_duration": 1})
    names = {re.sub(f"^({DURATIONS})_.*", r"\1", name.partition("{")[0]) for name in scraped}
    assert {row[0] for row in told} == names
    text = (ROOT / "docs/how-to/metrics.md").read_text()
    mentioned = {re.sub("_bucket$", "", name) for name in re.findall(r"\bsrvctl_\w*[a-z]\b", text)}
    assert mentioned <= names, "in an alert, for instance"
    assert mentioned


# -- StatsD --------------------------------------------------------------------------------------------------


def test_statsd_is_sent_gauges_and_what_was_added() -> None:
    changes = Changes("shop.")
    first = changes.lines(metrics())
    assert b"shop.workers.ready:2|g" in first
    assert b"shop.in_flight.0:2|g" in first
    assert b"shop.loop_lag_seconds.1:0.001|g" in first
    assert not [line for line in first if line.endswith(b"|c")], "nobody knows since when"

    answer = metrics()
    row = [10, 20, 90, *[0] * 15, 1]
    answer["slots"]["1"] = totals(requests=130, answered={**totals()["answered"], "2": row}, errors=5)
    answer["restarts"]["crash"] = 4
    added = [line for line in changes.lines(answer) if line.endswith(b"|c")]
    assert sorted(added) == [
        b"shop.errors.1:3|c",
        b"shop.requests.2xx.1:30|c",
        b"shop.restarts.crash:3|c",
    ]
    assert not [line for line in changes.lines(answer) if line.endswith(b"|c")]


def test_statsd_is_sent_quantiles_of_the_last_interval() -> None:
    changes = Changes("")
    changes.lines(metrics(1))
    answer = metrics(1)
    row = answer["slots"]["0"]["answered"]["2"]
    row[6] += 100  # between 5 and 10 ms
    found = [line for line in changes.lines(answer) if line.startswith(b"request_duration_ms.2xx")]
    assert found == [
        b"request_duration_ms.2xx.p50:7.5|g",
        b"request_duration_ms.2xx.p95:9.75|g",
        b"request_duration_ms.2xx.p99:9.95|g",
    ]


def test_names_for_statsd_have_no_other_meaning_there() -> None:
    """A colon would end the name, a bar the value; a newline the line."""
    lines = Changes("a").lines(metrics(restarts={}, workers=[worker(0, state="x:y|c\nz")]))
    assert b"a.worker_state.0.x_y_c_z:1|g" in lines
    assert all(re.fullmatch(rb"[A-Za-z0-9_.-]+:[0-9.]+\|[gc]", line) for line in lines)


@given(
    st.lists(st.binary(min_size=1, max_size=MOST_BYTES).filter(lambda line: b"\n" not in line), max_size=60)
)
def test_datagrams_fit_into_a_packet_and_lose_nothing(lines: list[bytes]) -> None:
    packets = list(datagrams(lines))
    assert all(len(packet) <= MOST_BYTES for packet in packets)
    assert [line for packet in packets for line in packet.split(b"\n")] == lines
    for one, other in pairwise(packets):  # none could have taken the next line
        assert len(one) + 1 + len(other.split(b"\n")[0]) > MOST_BYTES


# -- quantiles -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 50), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_quantile_lies_where_its_share_of_the_requests_does(
    counts: list[int], share: float, other: float
) -> None:
    found = quantile(share, BOUNDS, counts)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    edges = [0.0, *BOUNDS]
    below = sum(count for edge, count in zip(edges, counts, strict=True) if edge < found)
    assert below >= share * sum(counts) - 1e-6 or found == BOUNDS[-1]
    assert sum(count for bound, count in zip(BOUNDS, counts, strict=False) if bound < found) <= (
        share * sum(counts) + 1e-6
    )
    assert (quantile(other, BOUNDS, counts) or 0) >= found or other <= share
