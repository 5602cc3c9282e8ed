"""The rules of catalog entries. They know nothing of HTTP; broken ones raise ``ValidationError``."""

import uuid
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from example_project.catalog.shop_copy.models import Market, Product

from .models import CatalogEntry

__all__ = [
    "change_entry",
    "check_entry",
    "create_entry",
    "remove_entries_in_market",
    "remove_entries_of_product",
    "remove_entry",
]

_CHANGES = {"product": "product_id", "market": "market_id"} | {
    name: name for name in ("availability_date", "availability_end_date")
}


def create_entry(
    *,
    product: uuid.UUID,
    market: str,
    availability_date: date,
    availability_end_date: date | None = None,
    entry_uuid: uuid.UUID | None = None,
) -> CatalogEntry:
    """Offer a product in a market; both are named by their keys."""
    entry = CatalogEntry(
        product_id=product,
        market_id=market,
        availability_date=availability_date,
        availability_end_date=availability_end_date,
    )
    if entry_uuid is not None:
        entry.entry_uuid = entry_uuid
    with transaction.atomic():
        return _save(entry)


def change_entry(entry: CatalogEntry, **changes: Any) -> CatalogEntry:
    """Change product or market (by their keys) or the dates; the UUID is the entry's key and stays."""
    refused = {name: "This cannot be changed." for name in changes if name not in _CHANGES}
    if refused:
        raise ValidationError(refused)
    with transaction.atomic():
        row = CatalogEntry.objects.select_for_update().get(pk=entry.pk)
        for name, value in changes.items():
            setattr(row, _CHANGES[name], value)
        return _save(row)


def remove_entry(entry: CatalogEntry) -> None:
    entry.delete()


def remove_entries_of_product(product: uuid.UUID) -> int:
    """A product that is no longer there is offered nowhere."""
    return _remove(CatalogEntry.objects.filter(product_id=product))


def remove_entries_in_market(market: str) -> int:
    """In a market that is no longer there nothing is offered."""
    return _remove(CatalogEntry.objects.filter(market_id=market))


def check_entry(entry: CatalogEntry) -> None:
    """Raise ``ValidationError`` when ``entry`` must not be saved as it is.

    Must run in the transaction that saves it: the product's and the market's copies stay locked
    until its end, so that neither is deleted under a new entry.
    """
    entry.clean_fields(exclude=["product", "market"])
    if entry.availability_end_date and entry.availability_end_date < entry.availability_date:
        raise ValidationError({"availability_end_date": "It lies before the first day."})
    product = (
        Product.objects.select_for_update()
        .filter(product_uuid=entry.product_id, outbox_deleted=False)
        .first()
    )
    if product is None:
        raise ValidationError({"product": f"No product {entry.product_id} is known here."})
    market = Market.objects.select_for_update().filter(iso_code=entry.market_id, outbox_deleted=False).first()
    if market is None:
        raise ValidationError({"market": f"No market {entry.market_id!r} is known here."})
    before = CatalogEntry.objects.filter(pk=entry.pk).first()
    if product.discontinued and (before is None or before.product_id != entry.product_id):
        raise ValidationError({"product": f"{product.name} is discontinued: it gets no new entries."})
    if CatalogEntry.objects.filter(product=product, market=market).exclude(pk=entry.pk).exists():
        raise ValidationError({"market": f"{product.name} is offered in {market.name} already."})


def _save(entry: CatalogEntry) -> CatalogEntry:
    check_entry(entry)
    if CatalogEntry.objects.filter(entry_uuid=entry.entry_uuid).exclude(pk=entry.pk).exists():
        raise ValidationError({"entry_uuid": "An entry with this UUID is there already."})
    entry.save()
    return entry


def _remove(entries: QuerySet[CatalogEntry]) -> int:
    with transaction.atomic():
        rows = list(entries)
        for entry in rows:
            remove_entry(entry)
        return len(rows)
