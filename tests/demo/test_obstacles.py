"""What stands in the way of the demo is said in one line, with the cure."""

import subprocess
import sys

import pytest

from example_project.demo import __main__ as entrance
from example_project.demo.supervisor import ROOT


def test_an_old_python_is_named(monkeypatch):
    """By its number and its path: there may be several."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    assert entrance._obstacle() == f"The demo needs Python 3.11 or newer; this is 3.9.18 ({sys.executable})."


@pytest.mark.slow
def test_what_is_not_installed_is_named():
    """-S leaves out everything that pip installed."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "example_project.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Not installed here: django, celery, confluent_kafka,")
    assert "tox run -e demo" in done.stderr
    assert len(done.stderr.splitlines()) == 1
