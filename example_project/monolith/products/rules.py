"""The rules of markets and products. They know nothing of HTTP; broken ones raise ``ValidationError``."""

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from .models import Market, Product

__all__ = [
    "change_market",
    "change_product",
    "create_market",
    "create_product",
    "delete_market",
    "delete_product",
    "discontinue_product",
    "save_market",
    "save_product",
]

_MARKET_CHANGES = frozenset({"name"})
_PRODUCT_CHANGES = frozenset({"name", "product_category", "discontinued"})


def create_market(*, iso_code: str, name: str) -> Market:
    return save_market(Market(iso_code=iso_code, name=name))


def change_market(market: Market, **changes: Any) -> Market:
    """Change the name; the code is the market's key and stays."""
    _refuse_unknown(changes, _MARKET_CHANGES)
    with transaction.atomic():
        row = Market.objects.select_for_update().get(pk=market.pk)
        _assign(row, changes)
        return save_market(row)


def delete_market(market: Market) -> None:
    """Delete it; the catalog then removes its entries in this market."""
    market.delete()


def save_market(market: Market) -> Market:
    market.iso_code = market.iso_code.strip().upper()
    market.name = market.name.strip()
    market.full_clean()
    market.save()
    return market


def create_product(
    *, name: str, product_category: str, discontinued: bool = False, product_uuid: uuid.UUID | None = None
) -> Product:
    product = Product(name=name, product_category=product_category, discontinued=discontinued)
    if product_uuid is not None:
        product.product_uuid = product_uuid
    return save_product(product)


def change_product(product: Product, **changes: Any) -> Product:
    """Change name, category or whether it is discontinued; the UUID is the product's key and stays."""
    _refuse_unknown(changes, _PRODUCT_CHANGES)
    with transaction.atomic():
        row = Product.objects.select_for_update().get(pk=product.pk)
        _assign(row, changes)
        return save_product(row)


def discontinue_product(product: Product) -> Product:
    """From now on the catalog takes no new entries for it; those that are there stay."""
    return change_product(product, discontinued=True)


def delete_product(product: Product) -> None:
    """Delete it; the catalog then removes its entries of this product."""
    product.delete()


def save_product(product: Product) -> Product:
    product.name = product.name.strip()
    product.product_category = product.product_category.strip()
    product.full_clean()
    product.save()
    return product


def _assign(row: Market | Product, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)


def _refuse_unknown(changes: dict[str, Any], allowed: frozenset[str]) -> None:
    refused = {name: "This cannot be changed." for name in changes if name not in allowed}
    if refused:
        raise ValidationError(refused)
