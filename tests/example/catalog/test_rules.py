"""The rules of catalog entries."""

import uuid
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from example_project.catalog.entries import rules, sample
from example_project.catalog.entries.models import CatalogEntry
from example_project.catalog.shop_copy.models import Market, Product

from .conftest import Arrive

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)


def _refused(call: Any, *args: Any, **kwargs: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        call(*args, **kwargs)
    return refused.value.message_dict


def test_product_is_offered_once_in_a_market(arrive: Arrive) -> None:
    """An entry is made for a known product in a known market; a second one for both is refused."""
    product = arrive.product()
    market = arrive.market("DE")
    entry = rules.create_entry(product=product, market=market, availability_date=DAY)
    assert CatalogEntry.objects.get() == entry
    assert set(_refused(rules.create_entry, product=product, market=market, availability_date=DAY)) == {
        "market"
    }


def test_unknown_product_and_market_are_refused(arrive: Arrive) -> None:
    """What has no copy here, or one that is marked as deleted, cannot be offered."""
    product, market = arrive.product(), arrive.market("DE")
    gone = arrive.product()
    arrive.delete_product(gone)
    assert "product" in _refused(
        rules.create_entry, product=uuid.uuid4(), market=market, availability_date=DAY
    )
    assert "product" in _refused(rules.create_entry, product=gone, market=market, availability_date=DAY)
    assert "market" in _refused(rules.create_entry, product=product, market="XX", availability_date=DAY)


def test_last_day_does_not_lie_before_the_first(arrive: Arrive) -> None:
    """The days are compared when an entry is made and when it is changed."""
    offer = {"product": arrive.product(), "market": arrive.market("DE"), "availability_date": DAY}
    before = date(2025, 12, 31)
    assert "availability_end_date" in _refused(rules.create_entry, **offer, availability_end_date=before)
    entry = rules.create_entry(**offer, availability_end_date=DAY)
    assert "availability_end_date" in _refused(rules.change_entry, entry, availability_end_date=before)
    assert "availability_date" in _refused(rules.change_entry, entry, availability_date=None)


def test_discontinued_product_gets_no_new_entries(arrive: Arrive) -> None:
    """Its entries stay and may be changed; a new one, or one moved to it, is refused."""
    product, other = arrive.product(), arrive.product()
    de, at = arrive.market("DE"), arrive.market("AT")
    entry = rules.create_entry(product=product, market=de, availability_date=DAY)
    moved = rules.create_entry(product=other, market=at, availability_date=DAY)
    arrive.discontinue(product)
    assert "product" in _refused(rules.create_entry, product=product, market=at, availability_date=DAY)
    assert "product" in _refused(rules.change_entry, moved, product=product)
    assert rules.change_entry(entry, availability_date=date(2026, 2, 1)).availability_date.month == 2


def test_key_cannot_be_changed(arrive: Arrive) -> None:
    """The UUID of an entry stays, whatever is asked."""
    entry = rules.create_entry(product=arrive.product(), market=arrive.market("DE"), availability_date=DAY)
    assert "entry_uuid" in _refused(rules.change_entry, entry, entry_uuid=uuid.uuid4())


def test_sample_waits_for_the_copies_and_is_loaded_once(arrive: Arrive) -> None:
    """Without the copies it says how many are missing; with them it makes the same entries, once."""
    with pytest.raises(sample.CopiesMissing, match=r"Expected 3 products and 2 markets .* found 0 and 0"):
        sample.load(products=3, markets=2, wait_seconds=0)
    products = [arrive.product() for _ in range(3)]
    arrive.discontinue(products[0])
    for code in ("DE", "AT"):
        arrive.market(code)
    count = sample.load(products=3, markets=2, wait_seconds=0)
    assert count == CatalogEntry.objects.count() > 0
    assert not CatalogEntry.objects.filter(product_id=products[0]).exists()
    assert sample.load(products=3, markets=2, wait_seconds=0) == 0
    assert (Product.objects.count(), Market.objects.count()) == (3, 2)
