"""What strangers send is one line of printable ASCII; what is given as a format is one, or is refused."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from srvctl.logs.access.formats import FormatError, compile_format
from srvctl.logs.access.record import WEBSOCKET, AccessRecord, client_text
from srvctl.worker.http.request_id import RequestIds

VALUES = st.binary(max_size=40)
NAMES = st.sampled_from([b"host", b"user-agent", b"referer", b"authorization", b"x-request-id", b"x-any"])
#: Every atom, so that every way from a stranger's bytes to the line is taken.
EVERY = (
    '%h %a %l %u %t "%r" %s %>s %b %B %D %M %T %L %p %P "%m" "%U" "%q" "%H" "%S" "%v" "%V" %{sec}t %{iso}t '
    '"%{Referer}i" "%{X-Any}i" "%{X-Request-ID}i" "%{X-Any}o" "%(a)s" "%(f)s" %%'
)
records = st.builds(
    AccessRecord,
    client=st.one_of(
        st.just(""), st.builds(client_text, st.tuples(st.text(max_size=20), st.integers(0, 65535)))
    ),
    method=st.one_of(st.sampled_from(["GET", WEBSOCKET]), st.text(st.characters(max_codepoint=255))),
    target=VALUES,
    version=st.sampled_from(["1.0", "1.1", "2"]),
    status=st.one_of(st.integers(0, 1200), st.text(max_size=10)),
    size=st.integers(0, 2**40),
    duration=st.floats(0, 1e6),
    time=st.floats(1e6, 4e9),
    scheme=st.sampled_from(["http", "https"]),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    fields=st.lists(VALUES, max_size=4).map(lambda values: b"".join(b"X-Any:%b\r\n" % one for one in values)),
    request_id=VALUES,
)
FORMS = [compile_format(text) for text in ("uvicorn", "common", "combined", "json", EVERY)]


@given(records)
def test_a_request_is_one_line_that_hides_nothing(record: AccessRecord) -> None:
    """No control character, no line break of any alphabet, nothing beyond ASCII."""
    for form in FORMS:
        line = form.line(record)
        assert line[-1] == "\n"
        assert line[:-1].isascii()
        assert line[:-1].isprintable()


@given(records)
def test_quotation_marks_enclose_what_they_should(record: AccessRecord) -> None:
    """A value never ends its own quotation: what is left without quotations has no mark of any kind."""
    line = FORMS[-1].line(record)
    rest: list[str] = []
    is_inside = is_escaped = False
    for char in line:
        if is_escaped:
            is_escaped = False
        elif char == "\\":
            is_escaped = True
        elif char == '"':
            is_inside = not is_inside
        elif not is_inside:
            rest.append(char)
    assert not is_inside
    assert line.count("%") >= 1
    assert "".join(rest).endswith(" %\n")


@given(records)
def test_json_can_be_read(record: AccessRecord) -> None:
    """And says what was sent, where that is text."""
    parsed = json.loads(FORMS[3].line(record))
    assert parsed["method"] == record.method
    assert parsed["status"] == record.status
    with contextlib.suppress(UnicodeDecodeError):
        assert parsed["path"] == record.path.decode()


@given(
    st.one_of(st.text(), st.text(st.sampled_from("%{}()>hsitoeLT\\\"'\t a")), st.just(EVERY)),
    records,
)
def test_any_text_is_a_format_or_refused(text: str, record: AccessRecord) -> None:
    """With an error of our own, one line long; as a format it makes one line, whatever its own text."""
    try:
        line = compile_format(text).line(record)
    except FormatError as error:
        line = f"{error}\n"
    assert line.endswith("\n")
    assert all(char == "\t" or char.isprintable() for char in line[:-1])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_the_name_of_a_request_is_harmless(headers: list[tuple[bytes, bytes]]) -> None:
    """Nothing to be escaped anywhere."""
    name = RequestIds().of(headers)
    assert 1 <= len(name) <= 128
    assert not set(name) & set(b"\r\n\t \"\\,;'")
    assert name.isascii()
