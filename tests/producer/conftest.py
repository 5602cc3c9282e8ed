"""What the tests of the owner's side share."""

from collections.abc import Callable

import pytest

from django_outbox.brokers import get_broker
from django_outbox.brokers.memory import MemoryBroker
from django_outbox.producer.models import OutboxEvent
from django_outbox.producer.relay import Outcome, Relay


@pytest.fixture
def broker(settings: object) -> MemoryBroker:
    """A memory broker of the test's own."""
    from django_outbox import brokers

    brokers._broker.cache_clear()
    found = get_broker()
    assert isinstance(found, MemoryBroker)
    return found


@pytest.fixture
def publish(broker: MemoryBroker) -> Callable[[], Outcome]:
    """Let one relay run until it has nothing to do or is blocked."""

    def run() -> Outcome:
        relay = Relay("default", broker.publisher(), standing=False)
        try:
            while (outcome := relay.step()) is Outcome.SENT:
                pass
            return outcome
        finally:
            relay.close()

    return run


def unsent() -> int:
    return OutboxEvent.objects.filter(sent=False).count()
