"""The development broker and its command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from django_outbox.brokers.base import Message
from django_outbox.brokers.development import DevelopmentBroker, PortUnusable
from django_outbox.brokers.kafka import KafkaBroker
from django_outbox.exceptions import BrokerError
from django_outbox.management.commands.outbox_broker import Command

from .conftest import QUICK

_SCRIPT = """
from django.conf import settings
settings.configure()
import sys
from django.core.management import call_command
from django_outbox.management.commands.outbox_broker import Command
call_command(Command(), *sys.argv[1:])
"""


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command as a process and waits for its line; ends it afterwards."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def test_down_and_up_keep_log_and_port(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Clients of another process publish before and after; the log holds both and SIGTERM ends it with 0."""
    port, control = _free_ports()
    process = start("serve", "--port", port, "--control-port", control)
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert f"127.0.0.1:{port}" in ready and "lost" in ready and "5 MB" in ready
    broker = KafkaBroker({"bootstrap.servers": f"127.0.0.1:{port}", **QUICK})
    publisher = broker.publisher()
    assert publisher.publish([Message("t", b"k", b"1")], 10)[0].acknowledged
    assert _switch("down", port, control) == "down"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    assert not publisher.publish([Message("t", b"k", b"lost")], 0.3)[0].acknowledged
    assert _switch("status", port, control) == "down"
    assert _switch("up", port, control) == "up"
    assert publisher.publish([Message("t", b"k", b"2")], 10)[0].acknowledged
    publisher.close()
    assert broker.partitions("t", 5) == (0, 1, 2, 3)
    subscriber = broker.subscriber(["t"], "g", on_assign=lambda _: {}, on_revoke=lambda _: None)
    values: list[bytes | None] = []
    end = time.monotonic() + 10
    while len(values) < 2 and time.monotonic() < end:
        values += [message.value for message in subscriber.fetch(10, 0.2)]
    subscriber.close()
    assert values == [b"1", b"2"]
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - begin < 3


def _switch(word: str, port: int, control: int) -> str:
    from io import StringIO

    out = StringIO()
    call_command(Command(), word, "--port", str(port), "--control-port", str(control), stdout=out)
    return out.getvalue().strip()


def test_a_taken_port_is_named_with_its_option() -> None:
    """Both ports are told apart, and nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} on 127.0.0.1 cannot be used.*--port"):
            call_command(Command(), "serve", "--port", str(port))
        with pytest.raises(CommandError, match=f"Port {port} on 127.0.0.1 cannot be used.*--control-port"):
            call_command(Command(), "serve", "--port", "0", "--control-port", str(port))


@pytest.fixture(autouse=True)
def _keep_signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_switch_without_a_broker_says_how_to_start_one() -> None:
    """The message names the address that was tried."""
    port, control = _free_ports()
    with pytest.raises(CommandError, match=rf"127\.0\.0\.1:{control}.*manage.py outbox_broker"):
        call_command(Command(), "down", "--port", str(port), "--control-port", str(control))


def test_only_loopback_is_served() -> None:
    """There is no access control, so nobody else gets in."""
    for host in ("0.0.0.0", "192.0.2.1", "example.org"):
        with pytest.raises(BrokerError, match="loopback"):
            DevelopmentBroker(host)


def test_a_taken_port_leaves_nothing_running() -> None:
    """The same broker starts once the port is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnusable), DevelopmentBroker(port=port):
            pass
    with DevelopmentBroker(port=port) as broker:
        assert broker.bootstrap_servers == f"127.0.0.1:{port}"
        assert KafkaBroker({"bootstrap.servers": broker.bootstrap_servers}).cluster_id(5)


def test_a_restart_has_another_identity_and_is_found_by_old_clients() -> None:
    """Everything is lost and its own port moves; clients come back by the fixed one and can tell."""
    with DevelopmentBroker(port=0) as first:
        port = int(first.bootstrap_servers.rpartition(":")[2])
        broker = KafkaBroker({"bootstrap.servers": first.bootstrap_servers, **QUICK})
        publisher = broker.publisher()
        assert publisher.publish([Message("t", b"k", b"1")], 10)[0].acknowledged
        before = broker.cluster_id(5)
    with DevelopmentBroker(port=port):
        assert publisher.publish([Message("t", b"k", b"2")], 10)[0].acknowledged
        after = broker.cluster_id(5)
    publisher.close()
    assert before and after and before != after


def test_topics_get_the_partitions_asked_for() -> None:
    """``create_topic`` takes the broker's number, or its own."""
    with DevelopmentBroker(port=0, partitions=6) as development:
        development.create_topic("six")
        development.create_topic("nine", 9)
        broker = KafkaBroker({"bootstrap.servers": development.bootstrap_servers, **QUICK})
        assert (len(broker.partitions("six", 5)), len(broker.partitions("nine", 5))) == (6, 9)
        with pytest.raises(BrokerError, match="six"):
            development.create_topic("six")


def test_no_process_is_left_behind(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Ctrl-C ends the command with 0 and both ports are free again."""
    port, control = _free_ports()
    process = start("--port", port, "--control-port", control)
    assert process.stdout is not None and process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(5) == 0
    for number in (port, control):
        with socket.create_server(("127.0.0.1", number)):
            pass
