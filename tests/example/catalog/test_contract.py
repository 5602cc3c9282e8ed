"""What the catalog service publishes fits what the monolith says that it reads."""

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from django_outbox.testing import captured_events
from example_project.catalog.entries import rules

from .conftest import Arrive

pytestmark = pytest.mark.django_db
SCHEMAS = Path(__file__).parents[3] / "example_project" / "monolith" / "catalog_copy" / "schemas"


def test_every_event_fits_the_schema_of_its_reader(arrive: Arrive) -> None:
    """An entry made, changed and removed fits the schemas that the other service keeps."""
    product, market = arrive.product(), arrive.market("DE")
    with captured_events() as events:
        entry = rules.create_entry(product=product, market=market, availability_date=date(2026, 1, 1))
        rules.change_entry(entry, availability_end_date=date(2026, 12, 31))
        rules.remove_entry(entry)
    assert events.types == [f"catalog.entry.{word}" for word in ("created", "updated", "deleted")]
    assert events[0].payload["product"] == str(product)
    for event in events:
        schema = json.loads((SCHEMAS / f"{event.type}.v{event.version}.json").read_text())
        jsonschema.validate(event.payload, schema, format_checker=jsonschema.FormatChecker())


def test_arriving_copies_are_not_published_again(arrive: Arrive) -> None:
    """A copy that changes records nothing, so the two services play no ping-pong (trap 11)."""
    with captured_events() as events:
        product = arrive.product()
        arrive.discontinue(product)
    assert events.types == []
