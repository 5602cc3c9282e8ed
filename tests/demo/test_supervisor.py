"""Children are looked after while their supervisor lives, and die with it."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from example_project.demo.supervisor import ROOT, Supervisor
from example_project.demo.terminal import DemoFailed, Screen

from .processes import alive, descendants, until

pytestmark = pytest.mark.slow

FORKER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""
SUPERVISOR = """
import sys, time
from pathlib import Path
from example_project.demo.supervisor import Supervisor
from example_project.demo.terminal import Screen
supervisor = Supervisor(Path(sys.argv[1]), Screen(), restart=True)
for name in ("one", "two"):
    supervisor.start(name, [sys.argv[2]], {})
time.sleep(60)
"""


@pytest.fixture
def forker(tmp_path):
    """A script that starts a process of its own, as Celery does for beat."""
    script = tmp_path / "forker.py"
    script.write_text(FORKER)
    return script


@pytest.fixture
def supervisor(tmp_path):
    screen = Screen(io.StringIO())
    supervisor = Supervisor(tmp_path, screen, restart=True)
    supervisor.screen = screen._stream
    yield supervisor
    supervisor.stop()


def test_children_and_their_forks_die_with_a_supervisor_killed_by_sigkill(tmp_path, forker):
    """A pipe ends when its other side dies, whatever killed it."""
    command = [sys.executable, "-c", SUPERVISOR, tmp_path, forker]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        assert until(lambda: len(descendants(process.pid)) == 4, 10)
        family = descendants(process.pid)
    finally:
        process.kill()
        process.wait()
    assert until(lambda: not alive(family), 2), alive(family)


def test_a_child_that_dies_is_named_and_started_again(supervisor, tmp_path, forker):
    """With the end of its log, which says why."""
    child = supervisor.start("catalog relay", [str(forker)], {})
    first = child.pid
    (tmp_path / "logs" / "catalog-relay.log").write_text("out of memory\n")
    os.killpg(first, signal.SIGKILL)
    assert until(lambda: child.exit_code is not None, 2)
    supervisor.look_after()
    assert child.exit_code is None
    assert child.pid != first
    assert "catalog relay died: killed by SIGKILL. It is started again." in supervisor.screen.getvalue()
    assert "out of memory" in supervisor.screen.getvalue()


def test_a_child_that_always_dies_ends_the_demo(supervisor, tmp_path):
    """Starting it for ever would only hide the reason."""
    (tmp_path / "broken.py").write_text("raise SystemExit('no such table')")
    supervisor.start("relay", [str(tmp_path / "broken.py")], {})
    with pytest.raises(DemoFailed, match=r"relay died 4 times in 30 s") as failure:
        supervisor.wait(lambda: False, 20, "never")
    assert "no such table" in failure.value.logs[0].read_text()


def test_a_command_that_fails_is_named_with_its_log(supervisor, tmp_path):
    """Side by side with one that does not."""
    (tmp_path / "fine.py").write_text("")
    (tmp_path / "broken.py").write_text("raise SystemExit(3)")
    tasks = [(name, [str(tmp_path / f"{name}.py")], {}) for name in ("fine", "broken")]
    with pytest.raises(DemoFailed, match=r"^broken \(exit 3\) failed") as failure:
        supervisor.run(*tasks)
    assert [log.name for log in failure.value.logs] == ["broken.log"]


def test_what_does_not_come_in_time_is_said(supervisor):
    """The message names what was waited for."""
    with pytest.raises(DemoFailed, match="Not within 0 s: the tide turns"):
        supervisor.wait(lambda: False, 0.1, "the tide turns")


def test_a_child_that_ignores_sigterm_is_gone_within_five_seconds(supervisor, tmp_path):
    """Ctrl-C has five seconds in all."""
    script = tmp_path / "stubborn.py"
    script.write_text("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(60)")
    child = supervisor.start("stubborn", [str(script)], {})
    assert until(lambda: "deaf" in child.log.read_text(), 5)
    began = time.monotonic()
    assert supervisor.stop() == ["stubborn"]
    assert time.monotonic() - began < 5
    assert not alive({child.pid})
