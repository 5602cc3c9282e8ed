"""Runs the tests of each service under its own settings, as its developers would."""

import subprocess
import sys
from pathlib import Path

import pytest

from .processes import CHECKOUT, clean_environment

HERE = Path(__file__).parent

for needed in ("rest_framework", "ninja", "django_celery_beat", "dj_database_url", "whitenoise"):
    pytest.importorskip(needed, reason=f"the example needs {needed}: pip install --group example")


@pytest.mark.slow
@pytest.mark.parametrize("service", ["monolith", "catalog"])
def test_service_passes_its_own_tests(service: str, tmp_path: Path) -> None:
    """The tests in the folder of the service pass under its settings."""
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        f"--confcutdir={HERE}",
        f"--ds=example_project.settings.{service}",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(HERE / service)],
        cwd=CHECKOUT,
        env=clean_environment() | {"EXAMPLE_DATA_DIR": str(tmp_path), "OUTBOX_WAKE_UP": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
