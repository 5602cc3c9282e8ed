"""Programs that may not be there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from scripts.services import Service

__all__ = ["require_program", "require_service"]

# On Debian sbin is not on the PATH of an ordinary user; pip installs beside the interpreter.
PLACES = (str(Path(sys.executable).parent), "/usr/local/sbin", "/usr/sbin", "/sbin")


def require_program(name: str, install: str) -> str:
    """The path of a program; without it the test is skipped, or fails with OUTBOX_REQUIRE_SERVICES=1."""
    found = shutil.which(name, path=os.pathsep.join([*PLACES, os.environ.get("PATH", "")]))
    if not found:
        _not_here(f"what needs {name} (`{install}` brings it)")
    return found


def require_service(service: Service) -> None:
    """Go on where ``service`` could be started."""
    if service.missing():
        command = f"python -m scripts.services install {service.name}"
        _not_here(f"what needs {service.name} (`{command}` brings it)")


def _not_here(what: str) -> NoReturn:
    reason = f"not proven here: {what}"
    if os.environ.get("OUTBOX_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
