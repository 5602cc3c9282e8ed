"""The tests of both wings hold on the production database as they do on SQLite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.service
def test_both_wings_hold_on_postgresql(postgres_url: str) -> None:
    """The suite runs once more in a process of its own, on databases of its own."""
    folders = ["tests/producer", "tests/consumer", "tests/replicas", "tests/edge"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders],
        cwd=ROOT,
        env={**os.environ, "OUTBOX_TEST_DATABASE_URL": postgres_url},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    print(run.stdout.strip().rpartition("\n")[2])
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
