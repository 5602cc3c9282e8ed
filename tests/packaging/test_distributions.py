from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from .conftest import CHECKOUT, Built, uv

pytestmark = pytest.mark.slow

PROJECT = """
import django, django_outbox, sys
from django.conf import settings
from django.core.management import call_command
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DJANGO_OUTBOX={"SERVICE": "shop"},
    INSTALLED_APPS=["django.contrib.contenttypes", "django_outbox"],
    SECRET_KEY="test",
)
django.setup()
call_command("migrate", verbosity=0)
call_command("makemigrations", "--check", "--dry-run", verbosity=0)
from django_outbox.models import OutboxEvent
print(django_outbox.__file__, OutboxEvent.objects.count())
"""


def _names(wheel: Path) -> set[PurePosixPath]:
    with zipfile.ZipFile(wheel) as archive:
        return {PurePosixPath(name) for name in archive.namelist()}


def _package_files() -> set[PurePosixPath]:
    package = CHECKOUT / "django_outbox"
    files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {PurePosixPath(path.relative_to(CHECKOUT).as_posix()) for path in files}


def test_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    """A wheel installs every file of django_outbox, templates and py.typed too, and no other package."""
    names = _names(built.wheel)
    metadata = {name for name in names if name.parts[0].endswith(".dist-info")}
    assert names - metadata == _package_files()
    assert PurePosixPath("django_outbox/py.typed") in names
    assert PurePosixPath("django_outbox/migrations/0001_initial.py") in names


def test_wheel_carries_the_licence_and_the_version_of_the_package(built: Built) -> None:
    """The metadata says the licence, its text is inside, and the version is the package's own."""
    import django_outbox

    with zipfile.ZipFile(built.wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        (licence,) = (name for name in archive.namelist() if name.endswith("/licenses/LICENSE"))
        headers = email.message_from_bytes(archive.read(metadata))
        assert archive.read(licence) == (CHECKOUT / "LICENSE").read_bytes()
    assert headers["Version"] == django_outbox.__version__
    assert headers["License-Expression"] == "BSD-3-Clause"
    assert {"beat", "fast", "postgres"} <= set(headers.get_all("Provides-Extra"))


def test_sdist_holds_what_building_and_testing_need(built: Built) -> None:
    """Whoever packages the sdist finds tests, example, docs and scripts in it, and no leftovers of work."""
    with tarfile.open(built.sdist) as archive:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    needed = "LICENSE README.md CHANGELOG.md tox.ini pyproject.toml scripts/services/kafka-jars.sha256"
    wanted = [*needed.split(), "tests/settings.py", "example_project/manage.py"]
    assert {PurePosixPath(name) for name in wanted} <= names
    unwanted = {"__pycache__", ".tox", ".venv", ".services", "_build"}
    assert not [name for name in names if unwanted & set(name.parts) or name.suffix == ".sqlite3"]


@pytest.mark.parametrize("source", ["wheel", "sdist", "checkout"])
def test_every_way_of_installing_gives_a_working_app(source: str, built: Built, tmp_path: Path) -> None:
    """Installed from a wheel, an sdist or a checkout, the app migrates and its tables answer."""
    target = tmp_path / "site"
    origin = CHECKOUT if source == "checkout" else getattr(built, source)
    uv("pip", "install", "--no-deps", "--target", target, origin)
    done = subprocess.run(
        [sys.executable, "-c", PROJECT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(target / "django_outbox" / "__init__.py"), "0"]
