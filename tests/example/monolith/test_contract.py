"""What the monolith publishes fits what the catalog service says that it reads."""

import json
from pathlib import Path

import jsonschema
import pytest

from django_outbox.testing import captured_events
from example_project.monolith.products import rules

pytestmark = pytest.mark.django_db
SCHEMAS = Path(__file__).parents[3] / "example_project" / "catalog" / "shop_copy" / "schemas"


def test_every_event_fits_the_schema_of_its_reader() -> None:
    """Products and markets, made, changed and deleted, fit the schemas that the other service keeps."""
    with captured_events() as events:
        product = rules.create_product(name="Kite", product_category="Toys")
        rules.discontinue_product(product)
        rules.delete_product(product)
        market = rules.create_market(iso_code="DE", name="Germany")
        rules.change_market(market, name="Deutschland")
        rules.delete_market(market)
    assert [event.type.removeprefix("shop.") for event in events] == [
        f"{topic}.{word}" for topic in ("product", "market") for word in ("created", "updated", "deleted")
    ]
    for event in events:
        schema = json.loads((SCHEMAS / f"{event.type}.v{event.version}.json").read_text())
        jsonschema.validate(event.payload, schema, format_checker=jsonschema.FormatChecker())
