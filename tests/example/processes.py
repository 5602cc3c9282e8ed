"""Processes of one service, in a folder of their own, that end with the test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Self

CHECKOUT = Path(__file__).parent.parent.parent
MANAGE = str(CHECKOUT / "example_project" / "manage.py")
_FOREIGN = ("DJANGO_", "EXAMPLE_", "OUTBOX_", "CELERY_", "KAFKA_", "PYTEST_", "MONOLITH_", "CATALOG_")


def clean_environment() -> dict[str, str]:
    """The environment of this process, without anything that would configure a service."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for server in sockets:
            server.bind(("127.0.0.1", 0))
        return [server.getsockname()[1] for server in sockets]


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until ``condition`` comes true; fails with ``what`` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


class Service(AbstractContextManager["Service"]):
    """Runs commands of one service, and long-running ones that are ended at the end of the block."""

    def __init__(self, name: str, folder: Path, **environment: str) -> None:
        self.name, self.folder = name, folder
        self.environment = clean_environment() | {
            "DJANGO_SETTINGS_MODULE": f"example_project.settings.{name}",
            "EXAMPLE_DATA_DIR": str(folder),
            **environment,
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def manage(self, *words: str) -> str:
        """The output of a command that must succeed."""
        run = subprocess.run(
            [sys.executable, MANAGE, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, f"{words}: {run.stdout}{run.stderr}"
        return run.stdout

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start ``python WORDS`` in the checkout; what it says goes into ``NAME.log``."""
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def said(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")

    def _log(self, name: str) -> Path:
        return self.folder / f"{self.name}-{name}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            _signal_group(process, signal.SIGTERM)
        for process in self._running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            _signal_group(process, signal.SIGKILL)
            process.wait(10)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
