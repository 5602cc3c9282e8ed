"""What the monolith does with the catalog service's events."""

import pytest

from django_outbox.testing import captured_events
from example_project.monolith.catalog_copy.models import CatalogEntry, EntryHistory

from .conftest import Arrive

pytestmark = pytest.mark.django_db


def test_copy_follows_the_owner(arrive: Arrive) -> None:
    """An entry appears, changes and vanishes as its owner says; none of it is recorded again (trap 11)."""
    with captured_events() as events:
        entry = arrive.entry(market="DE")
        copy = CatalogEntry.objects.get()
        assert (str(copy.entry_uuid), str(copy.product_id), copy.market_id) == (
            entry["entry_uuid"],
            entry["product"],
            "DE",
        )
        arrive.event("updated", {**entry, "market": "AT"})
        assert CatalogEntry.objects.get().market_id == "AT"
        arrive.event("deleted", {**entry, "market": "AT"})
        assert not CatalogEntry.objects.exists()
    assert events.types == []


def test_history_has_a_line_for_each_event(arrive: Arrive) -> None:
    """What arrived is written down in order, with the sequence and what it said."""
    entry = arrive.entry(market="DE")
    arrive.event("updated", {**entry, "market": "AT"})
    lines = EntryHistory.objects.filter(key=entry["entry_uuid"])
    assert [(line.type, line.sequence) for line in lines] == [
        ("catalog.entry.created", 1),
        ("catalog.entry.updated", 2),
    ]
    assert lines[1].text == f"updated: {entry['product']} in AT from 2026-01-01"
