"""What the demo prints."""

import io
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from example_project.demo.live import Ticker
from example_project.demo.ports import choose, is_free
from example_project.demo.terminal import Screen, duration
from example_project.demo.web import Site, _Forms


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def handled(type_: str, key: str, payload: dict, source: str = "/shop", service: str = "catalog") -> bytes:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    line = {
        "type": type_,
        "key": key,
        "payload": payload,
        "source": source,
        "service": service,
        "recorded_at": (at - timedelta(milliseconds=84)).isoformat(),
        "handled_at": at.isoformat(),
    }
    return json.dumps(line).encode() + b"\n"


@pytest.fixture
def ticker(tmp_path):
    stream = Terminal()
    ticker = Ticker(tmp_path / "live", Screen(stream))
    ticker.stream = stream
    return ticker


@pytest.fixture(autouse=True)
def _no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")


def shown(ticker) -> list[list[str]]:
    """The lines as words, without their time of day."""
    return [line.split()[1:] for line in ticker.stream.getvalue().splitlines()]


def test_an_event_is_one_readable_line(ticker, tmp_path):
    """What, from where to where, how long it took; an entry is called by its product's name."""
    (tmp_path / "live").write_bytes(
        handled("shop.product.created", "p1", {"name": "Lamp"})
        + handled("catalog.entry.created", "e1", {"product": "p1", "market": "DE"}, "/catalog", "shop")
    )
    ticker.tick()
    assert shown(ticker) == [
        ["product", "created", "Lamp", "monolith", "→", "catalog", "84", "ms"],
        ["entry", "created", "Lamp", "in", "DE", "catalog", "→", "monolith", "84", "ms"],
    ]


def test_a_burst_is_one_line(ticker, tmp_path):
    """The very first event has its own line; hundreds at once are counted."""
    events = [handled("shop.product.created", f"p{n}", {"name": f"Lamp {n}"}) for n in range(200)]
    (tmp_path / "live").write_bytes(b"".join(events))
    ticker.tick()
    ticker.flush()
    first, burst = shown(ticker)
    assert first[2:4] == ["Lamp", "0"]
    assert burst[2:4] == ["199", "events"]
    assert ticker.seen == 200


def test_half_a_line_waits_for_its_rest(ticker, tmp_path):
    """A line may be read while it is being written."""
    line = handled("shop.product.created", "p1", {"name": "Lamp"})
    (tmp_path / "live").write_bytes(line[:40])
    ticker.tick()
    assert ticker.seen == 0
    (tmp_path / "live").write_bytes(line)
    ticker.tick()
    assert ticker.seen == 1


def test_colour_is_for_terminals_that_want_it(monkeypatch):
    """Not in a file, and not against NO_COLOR."""
    assert Screen(Terminal()).paint("x", "red") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert Screen(Terminal()).paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert Screen(io.StringIO()).paint("x", "red") == "x"


def test_a_terminal_without_unicode_gets_other_marks():
    """A plain C locale must not end the demo."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Screen(stream).done("broker", "a → ä", 1.25)
    stream.seek(0)
    assert stream.read().split() == ["+", "broker", "a", ">", "?", "1.2", "s"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 ms"), (0.0834, "83 ms"), (0.9996, "1.0 s"), (2.04, "2.0 s")]
)
def test_durations_are_short(seconds, text):
    """Milliseconds below a second."""
    assert duration(seconds) == text


def test_a_taken_port_is_passed_over_for_one_that_nobody_else_wants():
    """The next free one, but not the other service's own."""
    start = choose({"any": 0})["any"]
    with socket.socket() as server:
        server.bind(("127.0.0.1", start))
        server.listen()
        assert not is_free(start)
        ports = choose({"monolith": start, "catalog": start + 1})
    assert ports["catalog"] == start + 1
    assert ports["monolith"] > start + 1


def test_a_form_is_sent_as_a_browser_would():
    """Hidden fields, chosen options and ticked boxes go along, buttons do not."""
    parser = _Forms()
    parser.feed(
        '<form action="/out"><input type="hidden" name="token" value="t"></form>'
        '<form><input type="hidden" name="token" value="u"><input name="name">'
        '<input type="checkbox" name="off"><input type="checkbox" name="on" checked value="1">'
        '<select name="kind"><option value="a"><option value="b" selected></select>'
        '<input type="submit" name="_save" value="Save"></form>'
    )
    assert parser.forms[1].fields == {"token": "u", "name": "", "on": "1", "kind": "b"}


def test_a_server_that_is_not_there_is_status_0():
    """Waiting for a web server asks before it listens."""
    port = choose({"nobody": 0})["nobody"]
    assert not Site(f"http://127.0.0.1:{port}").answers()
