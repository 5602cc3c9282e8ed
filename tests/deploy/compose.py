"""The compose file, and the commands of its containers as plain processes on this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Any, Self

import pytest

from tests.example.processes import CHECKOUT, Service, free_ports, until

yaml = pytest.importorskip("yaml", reason="the deployment's tests need PyYAML: pip install --group services")

__all__ = ["FILE", "IMAGE", "SERVERLESS", "STAYING", "Machine", "is_once", "is_ours", "services"]

FILE = CHECKOUT / "docker-compose.yml"
IMAGE = "django-outbox-example"
LISTENS_ON = "0.0.0.0:8000"
# Without these the settings fall back to SQLite and files, and gunicorn to any folder.
SERVERLESS = ("MONOLITH_DATABASE_URL", "CATALOG_DATABASE_URL", "CELERY_BROKER_URL", "GUNICORN_CMD_ARGS")


@cache
def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file by name."""
    return dict(yaml.safe_load(FILE.read_text())["services"])


def is_ours(service: Mapping[str, Any]) -> bool:
    """Whether it runs the image with our code."""
    return bool(service["image"] == IMAGE)


def is_once(service: Mapping[str, Any]) -> bool:
    """Whether it ends by itself."""
    return service["restart"] in ("no", "on-failure")


OURS = {name: service for name, service in services().items() if is_ours(service)}
SETUPS = ("monolith-setup", "catalog-setup")
IMPORT = "catalog-import"
STAYING = [name for name, service in OURS.items() if not is_once(service)]
UP_SECONDS = 5
# What Docker gives a container between SIGTERM and SIGKILL.
GRACE_SECONDS = 10
# What a role says in its log once it works; for the others the arrival of the sample says so.
SAYS = {"worker": " ready.", "beat": "Sending due task"}


class Machine:
    """Runs containers of our image without containers.

    ``addresses`` says what stands here for a host and port of the compose file. ``without`` are
    variables that are left out, so that the settings fall back to what needs no server.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Mapping[str, str],
        *,
        gateway_port: int = 0,
        without: Sequence[str] = (),
    ) -> None:
        self.gateway_port = gateway_port
        self.web_ports = dict(zip(("monolith-web", "catalog-web"), free_ports(2), strict=True))
        self.folder = folder
        self._without = set(without)
        self._more = {
            "EXAMPLE_DATA_DIR": str(folder),
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
        }
        webs = {f"{name}:8000": f"127.0.0.1:{port}" for name, port in self.web_ports.items()}
        self._addresses = {**addresses, **webs}
        self._containers: dict[str, Service] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.web_ports[name]}"

    def start(self, name: str) -> None:
        """Start the container's command; what it says is in ``said``."""
        container = self._stack.enter_context(self._container(name))
        self.processes[name] = container.start("command", *self._words(name, services()[name]["command"]))
        self._containers[name] = container

    def bring_up(self) -> None:
        """Start everything in the order of compose; returns when all of it has worked for some seconds."""
        assert set(OURS) == {*SETUPS, IMPORT, *STAYING}
        for name in SETUPS:
            self.start(name)
        for name in SETUPS:
            self.ended_well(name, 60)
        for name in (*STAYING, IMPORT):
            self.start(name)
        started = time.monotonic()
        self.ended_well(IMPORT, 90)
        until(lambda: self._entries() > 200, 60, "the entries have arrived in the monolith")
        until(lambda: self._silent() == [], 40, "Celery's processes work")
        time.sleep(max(0.0, started + UP_SECONDS - time.monotonic()))
        self.all_run()

    def all_run(self) -> None:
        """What is to stay has not ended; if it has, this fails with its last words."""
        ended = [name for name in STAYING if self.processes[name].poll() is not None]
        assert [self.said(name)[-2000:] for name in ended] == []

    def stop(self) -> None:
        """What Docker does: SIGTERM to all, which have to end well within its time."""
        for name in STAYING:
            self.processes[name].send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for name in STAYING:
            self.ended_well(name, deadline - time.monotonic())

    def said(self, name: str) -> str:
        return self._containers[name].said("command")

    def ended_well(self, name: str, seconds: float) -> None:
        """Wait for the end of the command, which must be a success."""
        until(lambda: self.processes[name].poll() is not None, seconds, f"{name} ends")
        assert self.processes[name].returncode == 0, f"{name}: {self.said(name)[-3000:]}"

    def healthy(self, name: str) -> bool:
        """What the container's health check says, run as the compose file has it."""
        words = services()[name]["healthcheck"]["test"][1:]
        if words[-1] == "web":
            words = [*words, str(self.web_ports[name])]
        check = subprocess.run(
            [sys.executable, *self._words(name, words)],
            cwd=CHECKOUT,
            env=self._container(name).environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
        return check.returncode == 0

    def well(self) -> set[str]:
        """Those that are healthy."""
        with ThreadPoolExecutor(4) as pool:
            return set(compress(STAYING, pool.map(self.healthy, STAYING)))

    def _silent(self) -> list[str]:
        """Those that have not yet said that they work."""
        words = {name: SAYS.get(name.partition("-")[2], "") for name in STAYING}
        return [name for name in STAYING if words[name] not in self.said(name)]

    def _entries(self) -> int:
        """How many entries the old API of the monolith has."""
        try:
            with urllib.request.urlopen(f"{self.url('monolith-web')}/api/v1/catalog", timeout=10) as answer:
                return int(json.load(answer)["count"])
        except OSError:
            return 0

    def _container(self, name: str) -> Service:
        written: dict[str, str] = services()[name]["environment"]
        environment = {key: value for key, value in written.items() if key not in self._without}
        for there, here in self._addresses.items():
            environment = {key: value.replace(there, here) for key, value in environment.items()}
        settings = environment["DJANGO_SETTINGS_MODULE"].rpartition(".")[2]
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return Service(settings, folder, **{**environment, **self._more, "HOME": str(folder)})

    def _words(self, name: str, command: Sequence[str]) -> list[str]:
        """The arguments for Python: programs of packages are run as the modules that they are."""
        here = f"127.0.0.1:{self.web_ports.get(name)}"
        words = [word.replace(LISTENS_ON, here) for word in command]
        return words[1:] if words[0] == "python" else ["-m", *words]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():  # all at once; the stack waits for one after the other
            process.terminate()
        self._stack.close()
