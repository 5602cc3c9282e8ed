"""The demo as a person runs it. CI runs ``--check`` itself; see ``.ci/run``."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from example_project.demo.ports import choose, is_free
from example_project.demo.supervisor import ROOT

from .processes import alive, descendants, until

pytestmark = pytest.mark.e2e

START_SECONDS = 60


class Demo:
    """One running demo; what it printed so far is in a file."""

    def __init__(self, folder, port: int) -> None:
        self.output = folder / "output.txt"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "example_project.demo", "--port", str(port)],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.temporary), "PYTHONIOENCODING": "utf-8"},
            )

    def says(self, text: str, seconds: float) -> bool:
        return until(lambda: text in self.text() or self.process.poll() is not None, seconds) and (
            text in self.text()
        )

    def text(self) -> str:
        return self.output.read_text("utf-8")

    def ports(self) -> set[int]:
        return {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", self.text())}

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def port() -> int:
    return choose({"monolith": 0})["monolith"]


@pytest.fixture
def start(tmp_path):
    demos = []

    def start(port: int) -> Demo:
        demos.append(Demo(tmp_path, port))
        return demos[-1]

    yield start
    for demo in demos:
        demo.stop()


def test_ctrl_c_ends_a_demo_that_passed_over_a_taken_port_and_mended_a_death(start, port):
    """The taken port is named and another used; a killed consumer is named and started again;
    Ctrl-C ends all of it within five seconds and leaves neither process nor folder.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        demo = start(port)
        assert demo.says("the first event was seen", START_SECONDS), demo.text()
    assert f"Port {port} is taken" in demo.text()
    family = descendants(demo.process.pid)
    assert len(family) >= 9
    os.kill(_pid_of(family, "catalog", "consume_events"), signal.SIGKILL)
    assert demo.says("catalog consumer died: killed by SIGKILL. It is started again.", 5), demo.text()
    family |= descendants(demo.process.pid)

    began = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(10) == 0, demo.text()
    assert time.monotonic() - began < 5
    assert "Everything is stopped" in demo.text().splitlines()[-1]
    assert not alive(family)
    assert all(map(is_free, demo.ports() - {port}))
    assert list(demo.temporary.iterdir()) == []


def test_nothing_outlives_a_demo_killed_by_sigkill(start, port):
    """No survivor and no port that is still taken."""
    demo = start(port)
    assert demo.says("the first event was seen", START_SECONDS), demo.text()
    family = descendants(demo.process.pid)
    assert len(family) >= 9
    assert len(demo.ports()) >= 3
    demo.process.kill()
    demo.process.wait()
    assert until(lambda: not alive(family), 3), alive(family)
    assert all(map(is_free, demo.ports()))


def _pid_of(family: set[int], service: str, command: str) -> int:
    for pid in family:
        environment = subprocess.run(
            ["ps", "eww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        if command in environment and f"example_project.settings.{service}" in environment:
            return pid
    raise AssertionError(f"no process of {service} runs {command}")
