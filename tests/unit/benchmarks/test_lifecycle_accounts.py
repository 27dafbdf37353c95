"""The books of a load: each request ends exactly once, and in the right column."""

from __future__ import annotations

import json

import pytest

from benchmarks.lifecycle.accounts import Accounts, Ending
from benchmarks.lifecycle.answers import Answer, AnswerReader, WrongAnswer
from benchmarks.lifecycle.tally import Tally

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"


def answer(number: int, worker: int = 42, revision: int = 1) -> Answer:
    return Answer(number, worker, revision, is_last=False)


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(late_after=1.0)


def test_an_answer_may_come_in_any_pieces() -> None:
    data = HEAD + b"12 42 3"
    for cut in range(len(data)):
        reader = AnswerReader()
        assert reader.feed(data[:cut]) is None
        assert reader.has_begun is (cut > 0)
        assert reader.feed(data[cut:]) == Answer(12, 42, 3, is_last=False)
        assert not reader.has_begun


def test_an_announced_end_is_read() -> None:
    read = AnswerReader().feed(HEAD.replace(b"\r\n\r\n", b"\r\nconnection: Close\r\n\r\n") + b"12 42 3")
    assert read == Answer(12, 42, 3, is_last=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEAD + b"12 42 3" + HEAD + b"12 42 3", "more than one answer"),
        (HEAD.replace(b"200 OK", b"503 Busy") + b"12 42 3", "status 503"),
        (HEAD + b"welcome", "unreadable"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "unreadable"),
        (b"\r\n\r\n", "unreadable"),
    ],
)
def test_anything_else_is_wrong_and_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(WrongAnswer, match=reason):
        AnswerReader().feed(data)


def test_latency_counts_from_when_a_request_was_due(accounts: Accounts) -> None:
    first, second = accounts.begin(due=1.0, now=1.0), accounts.begin(due=1.5, now=1.75)
    first.sent = second.sent = 1.875
    assert accounts.answer(first, answer(1), now=2.0)
    assert accounts.answer(second, answer(2), now=3.0)
    tally = accounts.tally
    assert (tally.answered, tally.late, tally.slowest, tally.lag, tally.laggards) == (2, 1, 1.5, 0.25, 1)
    assert [(trouble.kind, trouble.due) for trouble in tally.troubles] == [("late", 1.5)]


def test_an_answer_to_another_request_is_wrong(accounts: Accounts) -> None:
    request = accounts.begin(due=1.0, now=1.0)
    assert not accounts.answer(request, answer(7), now=1.1)
    assert (accounts.tally.answered, accounts.tally.wrong, accounts.tally.broken) == (0, 1, 1)


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CLOSED])
def test_a_request_that_may_have_crossed_with_the_end_is_sent_once_more(
    accounts: Accounts, ending: Ending
) -> None:
    request = accounts.begin(due=1.0, now=1.0)
    assert accounts.end(request, ending, is_reused=True, has_begun=False, now=1.1)
    assert (accounts.tally.retriable, accounts.tally.lost) == (1, 0)
    assert not accounts.end(request, ending, is_reused=True, has_begun=False, now=1.2)
    assert (accounts.tally.retriable, accounts.tally.lost) == (1, 1)
    assert accounts.tally.reasons == {str(ending): 1}


@pytest.mark.parametrize(
    ("is_reused", "has_begun", "reason"),
    [(False, False, "reset"), (True, True, "truncated"), (False, True, "truncated")],
)
def test_on_a_new_connection_or_amid_an_answer_it_is_lost(
    accounts: Accounts, is_reused: bool, has_begun: bool, reason: str
) -> None:
    request = accounts.begin(due=1.0, now=1.0)
    assert not accounts.end(request, Ending.RESET, is_reused=is_reused, has_begun=has_begun, now=1.1)
    assert (accounts.tally.retriable, accounts.tally.lost) == (0, 1)
    assert accounts.tally.reasons == {reason: 1}


@pytest.mark.parametrize("ending", [Ending.TIMEOUT, Ending.UNANSWERED])
def test_who_was_never_answered_is_lost_also_on_a_used_connection(accounts: Accounts, ending: Ending) -> None:
    request = accounts.begin(due=1.0, now=1.0)
    assert not accounts.end(request, ending, is_reused=True, has_begun=False, now=31.0)
    assert accounts.tally.reasons == {str(ending): 1}


def test_a_refused_connection_is_a_column_of_its_own_and_a_goodbye(accounts: Accounts) -> None:
    request = accounts.begin(due=1.0, now=1.0)
    assert not accounts.end(request, Ending.REFUSED, is_reused=False, has_begun=False, now=1.1)
    tally = accounts.tally
    assert (tally.refused, tally.lost, tally.broken, tally.first_goodbye) == (1, 0, 1, 1.1)


def test_the_first_goodbye_since_the_mark_counts(accounts: Accounts) -> None:
    accounts.idle_close(now=1.0)
    accounts.goodbye(now=2.0)
    assert accounts.tally.first_goodbye == 1.0
    accounts.mark()
    accounts.goodbye(now=3.0)
    accounts.idle_close(now=4.0)
    assert (accounts.tally.first_goodbye, accounts.tally.idle_closes) == (3.0, 2)


def test_who_serves_is_told_by_answers(accounts: Accounts) -> None:
    for number, (worker, revision, sent) in enumerate([(41, 1, 1.0), (42, 1, 2.0), (43, 2, 3.0)], 1):
        request = accounts.begin(due=sent, now=sent)
        request.sent = sent
        accounts.answer(request, answer(number, worker, revision), now=sent + 0.5)
    tally = accounts.tally
    assert tally.serving(since=2.0) == {42, 43}
    assert tally.arrived(revision=2) == [3.5]
    assert tally.last_other(revision=2) == 2.0
    assert tally.last_other(revision=1) == 3.0
    assert Tally().last_other(revision=1) == 0.0


def test_a_tally_travels_as_json(accounts: Accounts) -> None:
    request = accounts.begin(due=1.0, now=1.0)
    accounts.answer(request, answer(1), now=5.0)
    accounts.end(accounts.begin(2.0, 2.0), Ending.RESET, is_reused=False, has_begun=False, now=3.0)
    tally = accounts.tally
    assert Tally.from_json(json.loads(json.dumps(tally.as_json()))) == tally
    brief = Tally.from_json(json.loads(json.dumps(tally.as_json(is_brief=True))))
    assert (brief.troubles, brief.late, brief.lost) == ([], 1, 1)


def test_a_load_that_lags_behind_is_not_valid(accounts: Accounts) -> None:
    for number in range(99):
        accounts.begin(due=number, now=number)
    accounts.begin(due=100.0, now=100.2)
    assert accounts.tally.is_valid
    accounts.begin(due=101.0, now=101.2)
    assert not accounts.tally.is_valid
