"""Helpers for the tests of projects that use django_outbox: no Kafka, no ``TransactionTestCase``.

They work inside Django's ``TestCase`` and pytest-django's ``db`` fixture. The pytest fixture
``outbox_events`` does what ``captured_events()`` does, for a whole test; it is there when
``django_outbox.testing.plugin`` is among ``pytest_plugins``.
"""

from .capturing import CapturedEvents, captured_events
from .handling import handle_event, make_event

__all__ = ["CapturedEvents", "captured_events", "handle_event", "make_event"]
