"""The command line of the services, and how their settings answer a wrong environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from .processes import MANAGE, clean_environment

pytest.importorskip("django_celery_beat", reason="the example needs it: pip install --group example")

pytestmark = pytest.mark.slow
SERVICES = ("monolith", "catalog")


def _manage(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, MANAGE, *words],
        cwd=folder,
        env={**clean_environment(), "EXAMPLE_DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_manage_asks_for_the_service(tmp_path: Path) -> None:
    """Without settings the command line says how to name them, without a traceback."""
    answer = _manage(tmp_path, "check")
    assert answer.returncode == 1
    assert "Which service?" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_manage_works_from_any_folder(tmp_path: Path, service: str) -> None:
    """Both services pass their checks, started from elsewhere."""
    answer = _manage(tmp_path, "check", f"--settings=example_project.settings.{service}")
    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_complete(tmp_path: Path, service: str) -> None:
    """The models have no change that a migration lacks."""
    answer = _manage(
        tmp_path, "makemigrations", "--check", "--dry-run", f"--settings=example_project.settings.{service}"
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"DJANGO_DEBUG": "0"}, "DJANGO_SECRET_KEY is missing"),
        ({"DJANGO_DEBUG": "maybe"}, "DJANGO_DEBUG must be 1 or 0, not 'maybe'"),
    ],
)
def test_wrong_environment_is_named(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    """A service that cannot be safe, or cannot read its environment, does not start and says why."""
    answer = _manage(tmp_path, "check", "--settings=example_project.settings.monolith", **environment)
    assert answer.returncode != 0
    assert message in answer.stderr
