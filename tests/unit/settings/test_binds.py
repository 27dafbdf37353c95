"""What an address may say, what it means, and what the user is told when it makes no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.settings.binds import Bind, FdBind, SystemdBind, TcpBind, UnixBind, binds_of, parse_bind
from srvctl.settings.groups import ServerSettings

LONGEST = "/" + "p" * 106


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:8000", TcpBind("127.0.0.1", 8000)),
        ("localhost:0", TcpBind("localhost", 0)),
        ("app_1.example.org.:65535", TcpBind("app_1.example.org.", 65535)),
        (":80", TcpBind("", 80)),
        ("[::1]:8000", TcpBind("::1", 8000)),
        ("[::]:8000", TcpBind("::", 8000)),
        ("[::ffff:127.0.0.1]:8000", TcpBind("::ffff:127.0.0.1", 8000)),
        ("[fe80::1%eth0]:8000", TcpBind("fe80::1%eth0", 8000)),
        ("unix:/run/app.sock", UnixBind("/run/app.sock")),
        ("unix:app.sock", UnixBind("app.sock")),
        ("unix:/run/a b&c=d%3F:e.sock", UnixBind("/run/a b&c=d%3F:e.sock")),
        ("unix:/run/é.sock?mode=660", UnixBind("/run/é.sock", 0o660)),
        (
            "unix:/run/a?mode=600&user=web&group=www-data",
            UnixBind("/run/a", 0o600, "web", "www-data"),
        ),
        ("unix:/run/a?user=1000&group=100", UnixBind("/run/a", None, "1000", "100")),
        ("unix:/run/a?mode=000", UnixBind("/run/a", 0)),
        (f"unix:{LONGEST}", UnixBind(LONGEST)),
        ("fd://0", FdBind(0)),
        ("fd://31", FdBind(31)),
        ("systemd:web", SystemdBind("web")),
        ("systemd:8000", SystemdBind("8000")),
    ],
)
def test_each_form_has_one_meaning_and_writes_itself_back(text: str, bind: Bind) -> None:
    assert parse_bind(text) == bind
    assert str(bind) == text


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("localhost:080", TcpBind("localhost", 80)),
        ("unix:/run/a?group=g&mode=0660", UnixBind("/run/a", 0o660, None, "g")),
        ("fd://03", FdBind(3)),
    ],
)
def test_other_spellings_of_the_same_value_are_accepted(text: str, bind: Bind) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "it is empty; write HOST:PORT"),
        ("localhost", "the port is missing; write localhost:8000"),
        ("localhost:", "the port is missing; write HOST:PORT"),
        (":", "the port is missing"),
        ("[::1]", "the port is missing; write [::1]:8000"),
        ("[::1]:", "the port is missing; write [::1]:8000"),
        ("8000", "write :8000 for all addresses, or 127.0.0.1:8000"),
        ("localhost:65536", "the port 65536 is not a number from 0 to 65535"),
        ("localhost:-1", "the port '-1' is not a number from 0 to 65535"),
        ("localhost:http", "the port 'http' is not a number"),
        ("localhost:٨٠", "the port '٨٠' is not a number"),
        ("localhost:" + "9" * 5000, "is not a number from 0 to 65535"),
        ("::1:8000", "an IPv6 address stands in brackets"),
        ("[::1]8000", "a colon stands between the address and the port; write [::1]:8000"),
        ("[::1:8000", "what stands in brackets is an IPv6 address"),
        ("[localhost]:8000", "what stands in brackets is an IPv6 address"),
        ("[:::1]:8000", "what stands in brackets is an IPv6 address"),
        ("[fe80::1%e h]:8000", "what stands in brackets is an IPv6 address"),
        ("*:8000", "write :8000"),
        ("a b:80", "'a b' is not a host name or an IP address"),
        ("a..b:80", "'a..b' is not a host name"),
        ("localhost\n:80", "is not a host name"),
        ("a." * 127 + "a:80", "is not a host name"),
        ("bücher.example:80", "is not a host name"),
        ("http://localhost:8000", "the scheme 'http' is unknown; write HOST:PORT"),
        ("tcp://:80", "the scheme 'tcp' is unknown"),
        ("/run/app.sock", "a path needs a prefix; write unix:/run/app.sock"),
        ("./a:80", "a path needs a prefix; write unix:./a:80"),
        ("unix", "it says only how it begins"),
        ("unix:", "the path is empty; write unix:/run/app.sock"),
        ("unix:?mode=660", "the path is empty"),
        ("unix:///run/a", "begins with two slashes; write unix:/run/a"),
        ("unix:@a", "abstract sockets are not supported; write unix:./@a"),
        (f"unix:{LONGEST}q", "has 108 bytes; the path of a Unix socket has at most 107"),
        ("unix:/" + "é" * 54, "has 109 bytes"),
        ("unix:/run/\0", "has a character that cannot be printed"),
        ("unix:/run/a\nb", "has a character that cannot be printed"),
        ("unix:/run/\udcff", "has a character that cannot be printed"),
        ("unix:/run/a?mod=660", "the option 'mod' is unknown; write mode=660, user=NAME or group=NAME"),
        ("unix:/run/a?mode=660?", "the mode '660?' is not an octal number"),
        ("unix:/run/a?", "the option '' is unknown"),
        ("unix:/run/a?mode=660&mode=600", "the option 'mode' is given twice"),
        ("unix:/run/a?mode=", "the mode '' is not an octal number"),
        ("unix:/run/a?mode=0o660", "the mode '0o660' is not an octal number"),
        ("unix:/run/a?mode=680", "the mode '680' is not an octal number from 0 to 777; write mode=660"),
        ("unix:/run/a?mode=1777", "the mode 1777 is not an octal number from 0 to 777"),
        ("unix:/run/a?user=", "'' is not the name or number of a user"),
        ("unix:/run/a?group=a=b", "'a=b' is not the name or number of a group"),
        ("unix:/run/a?group=a\0", "is not the name or number of a group"),
        ("fd", "it says only how it begins"),
        ("fd:3", "a number after fd://, for example fd://3"),
        ("fd://", "a number after fd://"),
        ("fd://-1", "a number after fd://"),
        ("fd://3?mode=660", "a number after fd://"),
        ("fd://9999999999", "is not a number from 0 to 2147483647"),
        ("systemd:", "'' is not a name systemd can pass"),
        ("systemd:a:b", "write the FileDescriptorName= of the .socket unit"),
        ("systemd:é", "'é' is not a name systemd can pass"),
    ],
)
def test_a_text_that_is_no_address_is_refused_with_what_would_be_right(text: str, hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_bind(text)
    message = str(caught.value)
    assert message.startswith(f"{text!r} is not an address to listen on: ")
    assert hint in message
    assert "\n" not in message


@given(st.text() | st.from_regex(r"(unix:|fd:|systemd:|\[|)[ -~]*\Z"))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    """Nothing but ValueError leaves the parser, and what it returns writes itself back."""
    try:
        bind = parse_bind(text)
    except ValueError as error:
        assert " is not an address to listen on: " in str(error)  # noqa: PT017 - the other branch is the claim too
    else:
        assert parse_bind(str(bind)) == bind


WORD = st.text("abcdefghij-_0123456789", min_size=1, max_size=20).filter(lambda word: word != "fd")
BINDS = (
    st.builds(TcpBind, WORD | st.just("") | st.ip_addresses().map(str), st.integers(0, 65535))
    | st.builds(
        UnixBind,
        st.text(
            st.characters(exclude_categories=("C", "Z"), exclude_characters="?@/"), min_size=1, max_size=26
        ),
        st.none() | st.integers(0, 0o777),
        st.none() | WORD,
        st.none() | WORD,
    )
    | st.builds(FdBind, st.integers(0, 2**31 - 1))
    | st.builds(SystemdBind, WORD)
)


@given(BINDS)
def test_every_bind_that_can_be_built_writes_itself_back(bind: Bind) -> None:
    assert parse_bind(str(bind)) == bind


@pytest.mark.parametrize("word", ["unix", "fd", "systemd"])
def test_a_host_named_like_another_form_cannot_be_built(word: str) -> None:
    """Its text would mean something else."""
    with pytest.raises(ValueError, match="use the IP address"):
        TcpBind(word, 80)


@pytest.mark.parametrize(
    ("server", "binds"),
    [
        (ServerSettings(), (TcpBind("127.0.0.1", 8000),)),
        (ServerSettings(host="::1", port=0), (TcpBind("::1", 0),)),
        (ServerSettings(host="", port=80), (TcpBind("", 80),)),
        (ServerSettings(fd=3, port=80), (FdBind(3),)),
        (ServerSettings(fd=0), (FdBind(0),)),
        (ServerSettings(uds="/run/a", fd=3), (UnixBind("/run/a", 0o666),)),
        (
            ServerSettings(bind=(":80", "systemd:web"), uds="/run/a", fd=3),
            (TcpBind("", 80), SystemdBind("web")),
        ),
    ],
)
def test_the_most_specific_setting_says_where_to_listen(
    server: ServerSettings, binds: tuple[Bind, ...]
) -> None:
    assert binds_of(server) == binds


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (ServerSettings(host="a b"), "'a b' is not a host name or an IP address"),
        (ServerSettings(port=70000), "the port 70000 is not a number from 0 to 65535"),
        (ServerSettings(uds=""), "the path is empty"),
        (ServerSettings(uds="/run/a?b"), "has a question mark, which begins the options"),
        (ServerSettings(fd=-1), "the file descriptor -1 is not a number"),
        (ServerSettings(bind=("x",)), "'x' is not an address to listen on: the port is missing"),
    ],
)
def test_a_setting_that_is_no_address_is_refused(server: ServerSettings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        binds_of(server)
