"""What a feed keeps, what its readers get, and what they are told of what they missed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from srvctl.ipc.control import MAX_REPLY
from srvctl.supervisor.feeds import Feed, Reader

ROOM = 10_000


def filled(*numbers: int, room: int = ROOM, size: int = 0) -> Feed:
    """A feed of numbers; the slot of each is its last digit."""
    feed = Feed(room)
    for number in numbers:
        feed.push({"n": number, "slot": number % 10, "line": "x" * size})
    return feed


def taken(reader: Reader, most: int = 10**9) -> list[int | str]:
    """What a reader gets: numbers, and a word for what was left out."""
    items: list[dict[str, Any]] = [json.loads(line)["data"] for line in reader.take(most).splitlines()]
    return [item["n"] if "n" in item else f"-{item['left_out']}" for item in items]


def test_the_last_items_are_read_in_their_order() -> None:
    feed = filled(1, 2, 3, 4)
    reader = feed.read(2)
    assert taken(reader) == [3, 4]
    assert reader.is_done
    assert taken(feed.read(0)) == []
    assert taken(feed.read(99)) == [1, 2, 3, 4]
    feed.push({"n": 5})
    assert taken(reader) == []


def test_a_follower_gets_what_comes() -> None:
    feed = filled(1, 2)
    reader = feed.read(1, is_following=True)
    assert (taken(reader), reader.has_news, reader.is_done) == ([2], False, False)
    feed.push({"n": 3})
    assert reader.has_news
    assert (taken(reader), taken(reader)) == ([3], [])


def test_those_of_one_slot() -> None:
    feed = filled(11, 12, 21, 31, 32)
    assert taken(feed.read(2, slot=1)) == [21, 31]
    reader = feed.read(0, slot=2, is_following=True)
    feed.push({"n": 41, "slot": 1})
    assert taken(reader) == []
    feed.push({"n": 42, "slot": 2})
    assert taken(reader) == [42]
    assert taken(feed.read(9, slot=7)) == []


def test_the_oldest_make_room_and_who_did_not_read_them_is_told_how_many() -> None:
    feed = filled(size=400)
    slow = feed.read(0, is_following=True)
    one_slot = feed.read(0, slot=1, is_following=True)
    all_gone = feed.read(0, slot=999, is_following=True)
    feed.push({"n": 999, "slot": 999})
    for number in range(100):
        feed.push({"n": number, "slot": number % 10, "line": "x" * 400})
    kept = [number for number in taken(feed.read(1000)) if isinstance(number, int)]
    assert kept == list(range(100 - len(kept), 100))
    assert 10 < len(kept) < 20
    assert taken(slow) == [f"-{101 - len(kept)}", *kept]
    of_slot = [number for number in kept if number % 10 == 1]
    assert taken(one_slot) == [f"-{10 - len(of_slot)}", *of_slot]
    assert taken(all_gone) == ["-1"]
    assert taken(slow) == taken(one_slot) == taken(all_gone) == []


def test_who_reads_to_an_end_ends_there_even_if_all_of_it_is_gone() -> None:
    feed = filled(1, 2, 3, size=400)
    reader, of_slot = feed.read(3), feed.read(3, slot=2)
    for number in range(100):
        feed.push({"n": number, "slot": 2, "line": "x" * 400})
    assert (taken(reader), reader.is_done) == (["-3"], True)
    assert (taken(of_slot), of_slot.is_done) == (["-1"], True)


def test_a_piece_at_a_time() -> None:
    feed = filled(*range(10))
    reader = feed.read(10)
    assert taken(reader, 1) == [0]
    assert not reader.is_done
    assert taken(reader, 100) == [1, 2]


def test_a_turn_looks_at_so_many_items_and_no_more() -> None:
    feed = filled(*[2] * 5000, 1, room=10**6)
    reader = feed.read(5000, slot=1, is_following=True)
    reader = Reader(feed, 0, 1, None)
    assert [taken(reader) for _ in range(3)] == [[], [], [1]]


@pytest.mark.parametrize("room", [1000, 4 * MAX_REPLY])
def test_an_item_that_is_too_large_is_counted_as_left_out(room: int) -> None:
    feed = Feed(room)
    feed.push({"n": 1, "line": "x" * 2 * MAX_REPLY})
    feed.push({"n": 2})
    assert taken(feed.read(9)) == ["-1", 2]


def test_a_feed_without_room_keeps_nothing_and_counts() -> None:
    feed = Feed(0)
    reader = feed.read(9, is_following=True)
    feed.push({"n": 1})
    assert taken(reader) == ["-1"]
    assert taken(feed.read(9)) == []


def test_the_newest_go_over_an_upgrade_and_readers_go_on_where_they_were() -> None:
    feed = filled(*range(20))
    reader, of_slot = feed.read(20, is_following=True), feed.read(20, slot=3)
    assert taken(reader, 1) == [0]
    after = Feed(ROOM)
    after.restore(json.loads(json.dumps(feed.export(1000))))
    reader = Reader.restore(after, json.loads(json.dumps(reader.export())))
    after.push({"n": 20, "slot": 0})
    kept = [number for number in taken(after.read(99)) if isinstance(number, int)]
    assert 3 < len(kept) < 10
    assert kept[-1] == 20
    assert taken(reader) == [f"-{20 - len(kept)}", *kept]
    of_slot = Reader.restore(after, json.loads(json.dumps(of_slot.export())))
    assert taken(of_slot) == ["-2"] or 13 in kept
    assert of_slot.is_done


def test_what_cannot_be_understood_changes_nothing() -> None:
    feed = filled(1)
    with pytest.raises(KeyError):
        feed.restore({"items": []})
    assert taken(feed.read(9)) == [1]


def test_a_reader_of_another_feed_is_at_its_end() -> None:
    before, after = filled(1, 2, 3), filled(7)
    follower = Reader.restore(after, before.read(0, is_following=True).export())
    after.push({"n": 8})
    assert taken(follower) == [8]
    assert Reader.restore(after, before.read(0).export()).is_done
