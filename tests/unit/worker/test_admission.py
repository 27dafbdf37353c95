"""Who is answered, who waits, and who is turned away."""

from __future__ import annotations

from srvctl.worker.admission import Admission


def test_so_many_requests_enter_and_no_more() -> None:
    """The limit is what may run at once."""
    admission: Admission[int, str] = Admission(2, 0)
    assert [admission.enters(number) for number in range(4)] == [True, True, False, False]
    assert not admission.waits("a", 2)


def test_a_request_that_leaves_makes_room() -> None:
    """For one."""
    admission: Admission[int, str] = Admission(1, 0)
    admission.enters(0)
    assert admission.leaves(0) is None
    assert admission.enters(1)
    assert not admission.enters(2)


def test_leaving_twice_makes_room_once() -> None:
    """And so does leaving without having entered."""
    admission: Admission[int, str] = Admission(1, 1)
    admission.enters(0)
    admission.leaves(0)
    admission.enters(1)
    assert admission.leaves(0) is None
    assert admission.leaves(7) is None
    assert not admission.enters(2)
    assert admission.waits("a", 2)
    assert admission.leaves(0) is None, "nobody's turn has come"


def test_those_who_wait_have_their_turn_in_order() -> None:
    """Before all who come later."""
    admission: Admission[int, str] = Admission(1, 2)
    admission.enters(0)
    assert admission.waits("a", 1)
    assert admission.waits("b", 2)
    assert not admission.waits("c", 3)
    assert admission.leaves(0) == "a"
    assert not admission.enters(4), "the place is taken by the one who waited"
    assert admission.waits("c", 3)
    assert admission.leaves(1) == "b"
    assert admission.leaves(2) == "c"
    assert admission.leaves(3) is None


def test_one_who_gives_up_has_no_turn() -> None:
    """And makes room for another to wait."""
    admission: Admission[int, str] = Admission(1, 1)
    admission.enters(0)
    admission.waits("a", 1)
    admission.gives_up("a")
    admission.gives_up("a")
    assert admission.waits("b", 2)
    assert admission.leaves(0) == "b"
    assert admission.leaves(1) is None, "it had not entered"


def test_one_who_gives_up_in_the_moment_of_its_turn_passes_it_on() -> None:
    """It leaves like any other that has entered."""
    admission: Admission[int, str] = Admission(1, 2)
    admission.enters(0)
    admission.waits("a", 1)
    admission.waits("b", 2)
    assert admission.leaves(0) == "a"
    admission.gives_up("a")
    assert admission.leaves(1) == "b"
