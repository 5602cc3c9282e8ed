"""The sample: 200 products in 10 categories and 8 markets, the same on every machine."""

import uuid
from collections.abc import Iterator

from django.db import transaction

from .models import Market, Product

__all__ = ["MARKETS", "load", "products"]

MARKETS = {
    "AT": "Austria",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "FR": "France",
    "IT": "Italy",
    "NL": "Netherlands",
    "SE": "Sweden",
}
_KINDS = {
    "Bags": "Backpack",
    "Bicycles": "City bicycle",
    "Books": "Notebook",
    "Cameras": "Compact camera",
    "Furniture": "Oak chair",
    "Garden": "Watering can",
    "Kitchen": "Coffee grinder",
    "Lamps": "Desk lamp",
    "Shoes": "Walking shoe",
    "Tools": "Hand drill",
}
_LINES = (
    *("Alder", "Ash", "Aspen", "Beech", "Birch", "Cedar", "Cherry", "Elm", "Fir", "Hazel"),
    *("Holly", "Juniper", "Larch", "Linden", "Maple", "Oak", "Pine", "Rowan", "Spruce", "Willow"),
)
_NAMESPACE = uuid.UUID("6f1c3f3e-53a0-4c5b-8a43-0c7a3e1f9d20")
_EVERY_NTH_DISCONTINUED = 25


def products() -> Iterator[Product]:
    """The products of the sample, not saved."""
    names = [(category, f"{kind} {line}") for category, kind in _KINDS.items() for line in _LINES]
    for number, (category, name) in enumerate(names, start=1):
        yield Product(
            product_uuid=uuid.uuid5(_NAMESPACE, name),
            name=name,
            product_category=category,
            discontinued=number % _EVERY_NTH_DISCONTINUED == 0,
        )


def load() -> int:
    """Create the sample through the outbox and say how many products; 0 where there are markets already."""
    with transaction.atomic():
        if Market.objects.exists():
            return 0
        Market.objects.bulk_create(Market(iso_code=code, name=name) for code, name in MARKETS.items())
        return len(Product.objects.bulk_create(products()))
