"""The command: options, signals, the folder, the order of things."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .check import Check
from .ports import choose
from .servers import Laptop, RealServers, Servers
from .stack import SERVICES, Stack
from .supervisor import Supervisor
from .terminal import DemoFailed, Screen, duration

__all__ = ["main"]

DESCRIPTION = "Runs the monolith and the catalog service with everything that they need, until Ctrl-C."
FIRST_EVENT_SECONDS = 60
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(words: Sequence[str] | None = None) -> int:
    """Run the demo, or check it; the exit code."""
    options = _options(words)
    screen = Screen()
    began = time.monotonic()
    try:
        with _interruptible(), _folder(screen, keep=options.keep) as folder:
            _run(options, folder, screen, began)
    except DemoFailed as failure:
        screen.verdict(f"failed. {failure}", good=False)
        return 1
    except KeyboardInterrupt:
        if options.check:
            screen.verdict("failed. It was interrupted.", good=False)
        return 1 if options.check else 0
    if options.check:
        screen.verdict("ok")
    return 0


def _run(options: argparse.Namespace, folder: Path, screen: Screen, began: float) -> None:
    screen.heading("django_outbox: a monolith and a catalog service that talk through events")
    supervisor = Supervisor(folder, screen, restart=not options.check)
    try:
        servers: Servers = RealServers(folder) if options.services else Laptop(folder)
        stack = Stack(folder, screen, supervisor, servers, _ports(options, screen, servers))
        stack.up(live=not options.check)
        if options.check:
            Check(stack, began).run()
        else:
            _show(stack, began)
    except DemoFailed as failure:
        for log in failure.logs:
            screen.excerpt(log)
        raise
    finally:
        _stop(supervisor, screen)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m example_project.demo", description=DESCRIPTION)
    parser.add_argument(
        "--check", action="store_true", help="prove on free ports that all of it works, then end"
    )
    parser.add_argument(
        "--services", action="store_true", help="on Apache Kafka and PostgreSQL, started for this run"
    )
    parser.add_argument("--keep", action="store_true", help="leave the folder with databases and logs behind")
    parser.add_argument(
        "--port", type=int, default=8000, help="the monolith's port (default 8000); the catalog's is the next"
    )
    return parser.parse_args(words)


def _ports(options: argparse.Namespace, screen: Screen, servers: Servers) -> dict[str, int]:
    wanted = {name: options.port + number for number, name in enumerate(SERVICES)} | dict(
        servers.wanted_ports
    )
    if options.check:
        return choose(dict.fromkeys(wanted, 0))
    ports = choose(wanted)
    for name, port in wanted.items():
        if ports[name] != port:
            screen.warning(f"Port {port} is taken by somebody else: {name} uses {ports[name]}.")
    return ports


def _show(stack: Stack, began: float) -> None:
    """Print the addresses, then live lines until somebody stops it."""
    screen = stack.screen
    _addresses(stack)
    screen.heading("Live: what happened, from where to where, and how long it took")
    stack.wait(
        lambda: stack.ticker.seen,
        FIRST_EVENT_SECONDS,
        "the first event arrives",
        *stack.logs("relay", "consumer"),
    )
    screen.line(
        screen.paint(
            f"  (the first event was seen {duration(time.monotonic() - began)} after the start)", "dim"
        )
    )
    stack.load_catalog()
    stack.wait(lambda: False, float("inf"), "")


def _addresses(stack: Stack) -> None:
    screen, monolith, catalog = stack.screen, stack.monolith.url, stack.catalog.url
    screen.heading("Open in a browser; log in as admin with the password pass")
    for name, addresses in {
        "monolith": [
            f"{monolith}/",
            f"{monolith}/admin",
            f"{monolith}/api/v1/product",
            f"{monolith}/api/v1/catalog",
        ],
        "catalog service": [f"{catalog}/", f"{catalog}/catalog/admin", f"{catalog}/catalog/api/v1"],
        "broker": [f"{stack.servers.bootstrap} (any client of Kafka)"],
    }.items():
        for number, address in enumerate(addresses):
            screen.line(f"  {'' if number else name:<18}{screen.paint(address, 'cyan')}")
    screen.line()
    screen.line(
        "  Change a product in the monolith's admin and watch it arrive below. Ctrl-C stops everything."
    )


def _stop(supervisor: Supervisor, screen: Screen) -> None:
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    began = time.monotonic()
    late = supervisor.stop()
    took = duration(time.monotonic() - began)
    screen.line()
    screen.line(f"  Everything is stopped ({took}{''.join(f'; {name} had to be killed' for name in late)}).")


@contextmanager
def _folder(screen: Screen, *, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="outbox-demo-"))
    try:
        yield folder
    finally:
        if keep:
            _say_what_is_kept(screen, folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _say_what_is_kept(screen: Screen, folder: Path) -> None:
    screen.line(f"  Kept: {folder}, with what each process said in {folder / 'logs'}")
    if (folder / "monolith.sqlite3").exists():
        manage = f"EXAMPLE_DATA_DIR={folder} {sys.executable} example_project/manage.py"
        screen.line("  To look into a database:")
        screen.line(f"    {manage} shell --settings=example_project.settings.monolith")


@contextmanager
def _interruptible() -> Iterator[None]:
    """The first signal that asks us to end raises ``KeyboardInterrupt``, all others are ignored."""

    def interrupt(number: int, frame: object) -> None:
        for each in _STOPS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
