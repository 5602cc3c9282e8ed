"""Starts processes, notices when one dies, and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .terminal import DemoFailed, Screen

__all__ = ["Child", "Supervisor"]

SETUP_SECONDS = 120
CLEAN_UP_SECONDS = 20  # only on a machine that is very busy
STOP_SECONDS = 3.5  # Ctrl-C has five seconds in all
RESTARTS_ALLOWED = 3
RESTART_WINDOW_SECONDS = 30
ROOT = Path(__file__).resolve().parents[2]

Found = TypeVar("Found")


@dataclass
class Child:
    """One process with a name and a log; the leader of a process group of its own.

    It runs under ``demo.child``, so that it dies with this process; a ``bare`` one sees to that itself.
    Nobody waits for the end of an ``expendable`` one: it may be killed at any moment.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    bare: bool = False
    expendable: bool = False
    expected_to_die: bool = False
    starts: list[float] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        launcher = [] if self.bare else ["-m", "example_project.demo.child"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *launcher, *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
                start_new_session=True,
            )
        self.expected_to_die = False
        self.starts.append(time.monotonic())

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and all that it forked; a dead group is no error."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        """Ask the leader to stop; it tells its own forks."""
        if self.exit_code is None and self._process:
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL, as a crash would be: no warning, no clean-up."""
        self.expected_to_die = True
        self.signal_group(signal.SIGKILL)

    def close(self) -> None:
        """Reap it, and end what it may have left in its group. A ``bare`` one gets time to clean up."""
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        if self.bare:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CLEAN_UP_SECONDS)
        self.signal_group(signal.SIGKILL)
        self._process.wait()


class Supervisor:
    """The children of one demo. Every ``wait`` also looks after them."""

    def __init__(self, folder: Path, screen: Screen, *, restart: bool) -> None:
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._screen = screen
        self._restart = restart
        self.meanwhile: Callable[[], object] = lambda: None  # what else is to be done while waiting
        self._children: dict[str, Child] = {}

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        bare: bool = False,
        expendable: bool = False,
    ) -> Child:
        child = self._child(name, command, environment)
        child.bare, child.expendable = bare, expendable
        self._children[name] = child
        child.start()
        return child

    def run(self, *tasks: tuple[str, Sequence[str], Mapping[str, str]]) -> None:
        """Run commands side by side until all have ended; ``DemoFailed`` when one fails."""
        children = [self._child(*task) for task in tasks]
        try:
            for child in children:
                child.start()
            names = " and ".join(child.name for child in children)
            self.wait(lambda: _ended(children), SETUP_SECONDS, f"{names} ended", [c.log for c in children])
            if failed := _failed(children):
                names = " and ".join(f"{c.name} (exit {c.exit_code})" for c in failed)
                raise DemoFailed(f"{names} failed.", [c.log for c in failed])
        finally:
            for child in children:
                child.close()

    def wait(
        self, condition: Callable[[], Found], seconds: float, what: str, logs: Sequence[Path] = ()
    ) -> Found:
        """The first true value of ``condition``, while looking after the children; else ``DemoFailed``."""
        deadline = time.monotonic() + seconds
        while True:
            self.look_after()
            self.meanwhile()
            if found := condition():
                return found
            if time.monotonic() > deadline:
                raise DemoFailed(f"Not within {seconds:.0f} s: {what}.", logs)
            time.sleep(0.05)

    def look_after(self) -> None:
        """Start again, or report, whoever died since the last look."""
        for child in self._children.values():
            if child.exit_code is not None:
                self._bury(child)

    def _bury(self, child: Child) -> None:
        how = _how(child.exit_code or 0)
        child.close()
        if not child.expected_to_die and (child.bare or not self._restart):
            raise DemoFailed(f"{child.name} died: {how}.", [child.log])
        if not child.expected_to_die:
            self._screen.warning(f"{child.name} died: {how}. It is started again.")
            self._screen.excerpt(child.log, 8)
        recent = [at for at in child.starts if at > time.monotonic() - RESTART_WINDOW_SECONDS]
        if len(recent) > RESTARTS_ALLOWED:
            raise DemoFailed(
                f"{child.name} died {len(recent)} times in {RESTART_WINDOW_SECONDS} s.", [child.log]
            )
        child.start()

    def stop(self) -> list[str]:
        """SIGTERM to all, SIGKILL to who is still there after ``STOP_SECONDS``; the names of those.

        May be called twice.
        """
        children = list(self._children.values())
        for child in children:
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while (late := _waited_for(children)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in children:
            child.close()
        self._children.clear()
        return [child.name for child in late]

    def _child(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        return Child(name, command, environment, self._logs / f"{name.replace(' ', '-')}.log")


def _ended(children: Sequence[Child]) -> bool:
    return bool(_failed(children)) or all(c.exit_code is not None for c in children)


def _waited_for(children: Sequence[Child]) -> list[Child]:
    return [c for c in children if c.exit_code is None and not c.expendable]


def _failed(children: Sequence[Child]) -> list[Child]:
    return [c for c in children if c.exit_code]


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
