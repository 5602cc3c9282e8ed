"""The quickstart, done as it is written."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pages import ROOT, blocks, page

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

_RUNS_ON = re.compile(r"manage.py (outbox_broker|publish_events|consume_events)$")
_SETUP_LINES = 5  # they install the package; here it is installed already


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def tutorial(tmp_path: Path) -> Iterator[Tutorial]:
    made = Tutorial(tmp_path, _free_port())
    yield made
    made.close()


class Tutorial:
    """Does what the page says in a folder of its own, on a port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.said: list[str] = []
        self._running: list[subprocess.Popen[bytes]] = []
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
        self._environment = {**inherited, "PATH": path, "PYTHONPATH": str(ROOT)}

    def write(self, block: str) -> None:
        first, _, rest = block.partition("\n")
        added = first.startswith("# added to ")
        file = self.folder / first.removeprefix("# added to " if added else "# ")
        rest = rest.replace("localhost:9092", f"localhost:{self.port}")
        with file.open("a" if added else "w", encoding="utf-8") as out:
            out.write(rest)

    def run(self, block: str) -> None:
        command = block.strip()
        if command.endswith("outbox_broker"):
            command += f" --port {self.port} --control-port {_free_port()}"
            self._start(command)
            self._wait_for_port()
        elif _RUNS_ON.search(command):
            self._start(command)
        else:
            done = subprocess.run(
                ["sh", "-ec", command],
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}"
            self.said.append(done.stdout)

    def _start(self, command: str) -> None:
        with (self.folder / f"{len(self._running)}.log").open("wb") as log:
            process = subprocess.Popen(
                command.split(), cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        self._running.append(process)

    def _wait_for_port(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the development broker did not start")

    def close(self) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            process.wait(20)


def test_the_quickstart_gives_what_it_shows(tutorial: Tutorial) -> None:
    """Every file and command of the page, in its order, leads to the answers that the page prints."""
    text = page("docs/quickstart.md")
    shown = blocks(text, "text")
    for language, block in re.findall(r"^```(python|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "python":
            tutorial.write(block)
        elif "pip install" in block:
            tutorial.run("\n".join(block.splitlines()[_SETUP_LINES:]))
        elif "Change.objects.all()" in block:
            _until(tutorial, block, shown[0])
        else:
            tutorial.run(block)
    assert shown[0] in tutorial.said[-2]
    refusal = " ".join(tutorial.said[-1].split())
    assert " ".join(shown[1].removesuffix("...\n").split()) in refusal


def _until(tutorial: Tutorial, block: str, expected: str) -> None:
    """What the consumer does takes a moment; a person who looks too early looks again."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        tutorial.run(block)
        if expected in tutorial.said[-1]:
            return
        time.sleep(0.5)
    raise AssertionError(f"expected {expected!r}, got {tutorial.said[-1]!r}")
