"""What the catalog service does with the shop's events."""

from datetime import date

import pytest

from django_outbox.testing import captured_events
from example_project.catalog.entries import rules
from example_project.catalog.entries.models import CatalogEntry
from example_project.catalog.shop_copy.models import Product, ProductHistory

from .conftest import Arrive

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)


def test_entries_of_a_deleted_product_are_removed_and_that_is_published(arrive: Arrive) -> None:
    """The product's copy is marked, its entries go with an event each, others stay."""
    product, other = arrive.product(), arrive.product()
    markets = [arrive.market(code) for code in ("DE", "AT")]
    gone = [rules.create_entry(product=product, market=code, availability_date=DAY) for code in markets]
    stays = rules.create_entry(product=other, market="DE", availability_date=DAY)
    with captured_events() as events:
        arrive.delete_product(product)
    assert [CatalogEntry.objects.get()] == [stays]
    assert {(event.type, event.key) for event in events} == {
        ("catalog.entry.deleted", str(entry.entry_uuid)) for entry in gone
    }
    assert Product.objects.get(product_uuid=product).outbox_deleted


def test_entries_in_a_deleted_market_are_removed(arrive: Arrive) -> None:
    """A market takes its entries with it, and no others."""
    product = arrive.product()
    for code in ("DE", "AT"):
        rules.create_entry(product=product, market=arrive.market(code), availability_date=DAY)
    arrive.delete_market("DE")
    assert [entry.market_id for entry in CatalogEntry.objects.all()] == ["AT"]


def test_history_has_a_line_for_each_event(arrive: Arrive) -> None:
    """What arrived is written down in order, with the sequence and what it said."""
    product = arrive.product(name="Kite")
    arrive.discontinue(product)
    arrive.delete_product(product)
    lines = ProductHistory.objects.filter(key=str(product))
    assert [(line.type, line.sequence) for line in lines] == [
        ("shop.product.created", 1),
        ("shop.product.updated", 2),
        ("shop.product.deleted", 3),
    ]
    assert lines[1].text == "updated: Kite (Toys, discontinued)"
