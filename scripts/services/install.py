"""Install what the servers need, on Debian and its relatives, without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

from .base import Service, ServiceError, run


def install(services: Iterable[Service]) -> list[str]:
    """Install the packages that are missing and give their names. Needs root, or sudo that asks nothing."""
    packages = sorted({package for service in services for package in service.missing()})
    if not packages:
        return []
    if shutil.which("apt-get") is None:
        raise ServiceError(
            f"this machine has no apt-get. Install what Debian calls {', '.join(packages)} "
            "in this machine's own way, then run 'start'."
        )
    prefix = _as_root(packages)
    apt_get = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    print(f"installing {' '.join(packages)} ...", file=sys.stderr)
    run([*apt_get, "update"])
    run([*apt_get, "install", "-y", "--no-install-recommends", *packages])
    return packages


def _as_root(packages: list[str]) -> list[str]:
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    quiet = subprocess.DEVNULL
    if shutil.which("sudo") and subprocess.call([*sudo, "true"], stdout=quiet, stderr=quiet) == 0:
        return sudo
    raise ServiceError(f"only root can install packages. Run: apt-get install {' '.join(packages)}")
