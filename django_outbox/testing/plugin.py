"""The pytest plugin: ``pytest_plugins = ["django_outbox.testing.plugin"]`` in a ``conftest.py``."""

from __future__ import annotations

import pytest

from .capturing import CapturedEvents


@pytest.fixture
def outbox_events(db: None) -> CapturedEvents:
    """The events that the test has recorded so far."""
    return CapturedEvents()
