"""What all servers have in common: a folder, a port, a process, a state file that outlives us."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

HOST = "127.0.0.1"
# Below the range from which Linux takes ports for outgoing connections: while a server is stopped,
# nobody's connection can land on its port.
PORTS = range(20_000, 32_000)
# On Debian these are not on the PATH of an ordinary user.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class ServiceError(Exception):
    """A server could not be installed, started or reached; the message says what to do."""


class Service(ABC):
    """A server with all that it writes in one folder.

    Methods that change it take a lock on the folder, so several processes may call ``start()`` at
    once. The server belongs to nobody: it outlives the process that started it.
    """

    name: ClassVar[str]
    variable: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    kill_signal: ClassVar[signal.Signals] = signal.SIGKILL
    start_seconds: ClassVar[float] = 60

    def __init__(self, directory: Path | str, *, port: int | None = None) -> None:
        self.directory = Path(directory).absolute()
        self._wanted_port = port

    # What each server says of itself

    @abstractmethod
    def missing(self) -> list[str]:
        """The Debian packages that have to be installed before this server can start."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs before its first start. May repeat."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs the server in the foreground, as ``user``, after ``prepare()``."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server does its work at this moment. Blocks a second or two at most."""

    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @property
    def user(self) -> str | None:
        """The user that the server must run as, or None for the present one."""
        return None

    def started(self) -> None:  # noqa: B027 - most servers have nothing to add
        """Called once the server answers, each time it was started."""

    # What one does with it

    @property
    def port(self) -> int:
        """The port, chosen at first sight and kept from then on."""
        return self._kept_port("port", self._wanted_port)

    @property
    def log(self) -> Path:
        return self.directory / "log.txt"

    def running(self) -> bool:
        """Whether its process lives. It may be too young to answer."""
        state = self._state()
        return "pid" in state and _birth(state["pid"]) == state["birth"]

    def start(self) -> None:
        """Start it and wait until it answers; nothing to do when it runs already."""
        with self._locked():
            if not self.running():
                self._require_installed()
                _require_free(self.port, self)
                self.prepare()
                self._spawn()
            self._wait_until_it_answers()
            self.started()

    def stop(self) -> None:
        """Shut it down in its own orderly way and wait until it is gone. Its data stays."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it as a crash would and wait until it is gone. Its data stays."""
        self._end(self.kill_signal)

    def restart(self) -> None:
        """Stop and start: the same port, the same data."""
        self.stop()
        self.start()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the server's process, such as SIGSTOP and SIGCONT to freeze and thaw it."""
        if self.running():
            os.kill(self._state()["pid"], number)

    def destroy(self) -> None:
        """End it and delete all that it wrote."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """The variables by which the tests find it."""
        return {self.variable: self.url()}

    # How

    def _require_installed(self) -> None:
        packages = self.missing()
        if packages:
            raise ServiceError(
                f"{self.name} cannot start: on Debian it needs {' '.join(packages)}. "
                f"Run 'python -m scripts.services install {self.name}', or install it yourself."
            )

    def _spawn(self) -> None:
        # The shell goes at once, so the server is nobody's child: no zombie, no warning about a
        # child that was not waited for.
        with self.log.open("ab") as log:
            shell = subprocess.run(
                ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
                check=True,
                **self._identity(),
            )
        pid = int(shell.stdout)
        self._remember(pid=pid, birth=_birth(pid))

    @property
    def home(self) -> Path:
        """The folder that the server itself writes to."""
        return self.directory

    def _identity(self) -> dict[str, Any]:
        """The arguments for ``subprocess`` that make a child run as ``user``."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": _group_of(self.user), "extra_groups": []}

    def _wait_until_it_answers(self) -> None:
        def settled() -> bool:
            return not self.running() or self.answers()

        if wait_for(settled, self.start_seconds) and self.running():
            return
        what = "gave no answer in time" if self.running() else "ended at its start"
        raise ServiceError(f"{self.name} {what}. The end of {self.log}:\n{self._last_lines()}")

    def _last_lines(self, count: int = 15) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-count:])

    def _end(self, number: signal.Signals) -> None:
        with self._locked():
            self.send_signal(number)
            # A frozen process hears nothing but SIGKILL until it is thawed.
            self.send_signal(signal.SIGCONT)
            if not wait_for(lambda: not self.running(), 30):
                self.send_signal(signal.SIGKILL)
                wait_for(lambda: not self.running(), 10)

    @property
    def _state_file(self) -> Path:
        return self.directory / "state.json"

    def _state(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._state_file.read_text()))
        except FileNotFoundError:
            return {}

    def _remember(self, **values: object) -> None:
        with self._locked("state.lock"):
            self._write_state(self._state() | values)

    def _write_state(self, state: dict[str, Any]) -> None:
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(self._state_file)

    def _kept_port(self, name: str, wanted: int | None = None) -> int:
        state = self._state()
        if name in state:
            return int(state[name])
        with self._locked("state.lock"):
            # Another process may have chosen meanwhile.
            state = self._state()
            if name not in state:
                taken = {value for key, value in state.items() if key.endswith("port")}
                state[name] = wanted or free_port(taken)
                self._write_state(state)
            return int(state[name])

    @contextmanager
    def _locked(self, name: str = "lock") -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def find_program(name: str) -> str | None:
    """The full path of a program, also of one that only root has on its PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])
    return shutil.which(name, path=path)


def program(name: str) -> str:
    """The full path of a program that is known to be there."""
    found = find_program(name)
    if found is None:
        raise ServiceError(f"there is no program {name!r} on this machine.")
    return found


def run(command: Sequence[str], **options: Any) -> str:
    """Run a command to its end and give its output; ``ServiceError`` with it when it fails."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **options,
    )
    if done.returncode:
        raise ServiceError(f"{Path(command[0]).name} failed ({done.returncode}):\n{done.stdout}")
    return str(done.stdout)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until the condition holds; whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port(taken: set[int] | None = None) -> int:
    """A port that nobody listens on."""
    for port in random.sample(PORTS, 200):
        if port not in (taken or set()) and _is_free(port):
            return port
    raise ServiceError(f"found no free port between {PORTS.start} and {PORTS.stop}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _require_free(port: int, service: Service) -> None:
    if not wait_for(lambda: _is_free(port), 5):
        raise ServiceError(
            f"{service.name} cannot start: port {port} is taken by another process. "
            f"Stop that one, or delete {service.directory} to begin on another port."
        )


def _birth(pid: int) -> str | None:
    """When a living process began, so that a number used again is not taken for it; else None."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            state, *rest = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if state in "ZX" else rest[18]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"
    return "alive"


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
