"""Events of the catalog service, as they arrive at the monolith."""

import uuid
from collections import Counter
from typing import Any

import pytest

from django_outbox.testing import handle_event


class Arrive:
    """Hands events of ``catalog.entry`` to the monolith's group, with the sequence that is due."""

    def __init__(self) -> None:
        self._sequences: Counter[str] = Counter()

    def entry(self, **values: str) -> dict[str, Any]:
        """A new entry of a product that the monolith need not have; gives its payload."""
        payload = {
            "entry_uuid": str(uuid.uuid4()),
            "product": str(uuid.uuid4()),
            "market": "DE",
            "availability_date": "2026-01-01",
            "availability_end_date": None,
            **values,
        }
        self.event("created", payload)
        return payload

    def event(self, word: str, payload: dict[str, Any]) -> None:
        key = payload["entry_uuid"]
        self._sequences[key] += 1
        handle_event(
            {
                "type": f"catalog.entry.{word}",
                "key": key,
                "sequence": self._sequences[key],
                "payload": payload,
            }
        )


@pytest.fixture
def arrive(db: None) -> Arrive:
    return Arrive()
