"""The Python environment that the Dockerfile builds, made by its own commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.example.processes import CHECKOUT, clean_environment

from .compose import is_ours, services

pytest.importorskip("uv", reason="the deployment's tests need uv: pip install --group services")

pytestmark = pytest.mark.slow

CLIENTS = """
import celery, jsonschema_rs, psycopg
celery.Celery(broker="redis://redis").connection_for_write().transport
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of the image lie, such as python and gunicorn."""
    folder = tmp_path_factory.mktemp("image") / "venv"
    _run(sys.executable, "-m", "uv", "venv", "--python", sys.executable, str(folder))
    installs = re.findall(r"^RUN pip install (.+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert installs
    for words in installs:
        pip = ("-m", "uv", "pip", "install", "--python", str(folder), *shlex.split(words))
        _run(sys.executable, *pip)
    return folder / "bin"


def test_image_has_all_that_its_commands_import(programs: Path, tmp_path: Path) -> None:
    """Both services load, and the clients of the servers that compose names."""
    for name in ("monolith-web", "catalog-web"):
        service = services()[name]
        gunicorn = [str(programs / "gunicorn"), *service["command"][1:], "--check-config"]
        paths = {"EXAMPLE_DATA_DIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
        _run(*gunicorn, **{**service["environment"], **paths})
    _run(str(programs / "python"), "-c", CLIENTS)


def test_image_has_the_programs_of_all_commands(programs: Path) -> None:
    """The first word of every command and health check of our image is a program in it."""
    used = {
        words[0]
        for service in services().values()
        if is_ours(service)
        for words in (service["command"], service.get("healthcheck", {}).get("test", ["", "python"])[1:])
    }
    assert used == {"python", "gunicorn", "celery"}
    assert [name for name in used if not os.access(programs / name, os.X_OK)] == []


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
