"""The sample: most products in one to three markets, the same on every machine."""

import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from django.db import transaction

from example_project.catalog.shop_copy.models import Market, Product

from .models import CatalogEntry

__all__ = ["CopiesMissing", "load"]

_NAMESPACE = uuid.UUID("0c1d6f0e-6b1f-4b52-9d43-5a3ad1f0f7b1")
_FIRST_DAY = date(2026, 1, 1)
_POLL_SECONDS = 0.2


class CopiesMissing(Exception):
    """The shop's products and markets have not arrived in time; the message counts them."""


def load(*, products: int, markets: int, wait_seconds: float) -> int:
    """Create the entries and say how many; 0 where there are entries already.

    Waits up to ``wait_seconds`` until at least that many copies are there, then raises
    ``CopiesMissing``. Must run outside a transaction.
    """
    if CatalogEntry.objects.exists():
        return 0
    _wait_for_copies(products, markets, wait_seconds)
    with transaction.atomic():
        sold = list(Product.objects.select_for_update().filter(outbox_deleted=False).order_by("product_uuid"))
        codes = list(Market.objects.filter(outbox_deleted=False).order_by("iso_code"))
        return len(CatalogEntry.objects.bulk_create(_entries(sold, codes)))


def _wait_for_copies(products: int, markets: int, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        found = Product.objects.count(), Market.objects.count()
        if found[0] >= products and found[1] >= markets:
            return
        if time.monotonic() >= deadline:
            expected = f"Expected {products} products and {markets} markets from the shop"
            raise CopiesMissing(f"{expected}, found {found[0]} and {found[1]}.")
        time.sleep(_POLL_SECONDS)


def _entries(products: Sequence[Product], markets: Sequence[Market]) -> Iterator[CatalogEntry]:
    for number, product in enumerate(products):
        if product.discontinued:
            continue
        for step in range(min(1 + number % 3, len(markets))):
            market = markets[(number + step) % len(markets)]
            first_day = _FIRST_DAY + timedelta(days=number % 90)
            yield CatalogEntry(
                entry_uuid=uuid.uuid5(_NAMESPACE, f"{product.product_uuid}/{market.iso_code}"),
                product=product,
                market=market,
                availability_date=first_day,
                availability_end_date=first_day + timedelta(days=365) if number % 4 == 0 else None,
            )
