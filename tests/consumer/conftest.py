from collections.abc import Iterator

import pytest

from django_outbox.consumer.appliers import isolated_appliers
from django_outbox.consumer.handlers import Registry, registry

from .stream import Stream


@pytest.fixture(autouse=True)
def handlers() -> Iterator[Registry]:
    """No handlers but the test's own."""
    with registry.isolated() as empty, isolated_appliers():
        yield empty


@pytest.fixture
def stream(transactional_db: None) -> Stream:
    return Stream()
