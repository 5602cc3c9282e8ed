"""``manage.py outbox_broker``: the development broker, and its switch."""

from __future__ import annotations

import signal
import socket
import socketserver
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_outbox.exceptions import BrokerError

_LONGEST_WORD = 100
_ANSWER_SECONDS = 10


class Command(BaseCommand):
    help = "Runs a Kafka broker for development, in memory; or takes the running one down and up."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", nargs="?", default="serve", choices=["serve", "down", "up", "status"])
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=9092, help="for Kafka's clients (default: %(default)s)"
        )
        parser.add_argument(
            "--control-port", type=int, help="for down, up and status (default: the port plus one)"
        )

    def handle(self, *, action: str, host: str, port: int, control_port: int | None, **_: Any) -> None:
        control = port + 1 if control_port is None else control_port
        if action == "serve":
            self._serve(host, port, control)
        else:
            self.stdout.write(_ask(host, control, action))

    def _serve(self, host: str, port: int, control_port: int) -> None:
        from django_outbox.brokers.development import DevelopmentBroker, PortUnusable

        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            with DevelopmentBroker(host, port) as broker, _Control(host, control_port, broker):
                self.stdout.write(
                    f"Development broker on {broker.bootstrap_servers}: for development only; everything is"
                    " lost when it stops, and only about 5 MB of each partition are kept."
                )
                self.stdout.flush()
                stop.wait()
        except PortUnusable as error:
            raise CommandError(f"{error} Choose another one with --port.") from error
        except BrokerError as error:
            raise CommandError(str(error)) from error


class _Control(socketserver.ThreadingTCPServer):
    """One word a line in, one line out; listens while the ``with`` block runs."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, broker: Any) -> None:
        self.broker = broker
        self.turn = threading.Lock()
        try:
            super().__init__((host, port), _Answer)
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used: {error.strerror}. Choose another one with"
                " --control-port."
            ) from error

    def __enter__(self) -> _Control:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Answer(socketserver.StreamRequestHandler):
    server: _Control
    timeout = _ANSWER_SECONDS

    def handle(self) -> None:
        word = self.rfile.readline(_LONGEST_WORD).decode(errors="replace").strip()
        self.wfile.write(f"{self._act(word)}\n".encode())

    def _act(self, word: str) -> str:
        broker = self.server.broker
        with self.server.turn:
            if word == "down":
                broker.down()
            elif word == "up":
                broker.up()
            elif word != "status":
                return f"error: expected down, up or status, got {word!r}"
            return "up" if broker.is_up else "down"


def _ask(host: str, port: int, word: str) -> str:
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(f"{word}\n".encode())
            answer = connection.makefile().readline().strip()
    except OSError as error:
        raise CommandError(
            f"No development broker answers on {host}:{port} ({error}). Start it with"
            " `manage.py outbox_broker`, or give its --port or --control-port."
        ) from error
    if not answer or answer.startswith("error"):
        raise CommandError(f"The program on {host}:{port} is no development broker: {answer or 'no answer'}.")
    return answer
