"""Events of the shop, as they arrive at the catalog service."""

import uuid
from collections import Counter
from typing import Any

import pytest

from django_outbox.testing import handle_event
from example_project.catalog.shop_copy.models import Market, Product


class Arrive:
    """Hands events of the shop to the catalog's group, with the sequence that is due."""

    def __init__(self) -> None:
        self._sequences: Counter[str] = Counter()

    def product(self, name: str = "Kite") -> uuid.UUID:
        """A new product; gives its UUID."""
        key = uuid.uuid4()
        payload = {
            "product_uuid": str(key),
            "name": name,
            "product_category": "Toys",
            "discontinued": False,
        }
        self._event("shop.product.created", str(key), payload)
        return key

    def discontinue(self, product: uuid.UUID) -> None:
        self._event("shop.product.updated", str(product), self._payload(product) | {"discontinued": True})

    def delete_product(self, product: uuid.UUID) -> None:
        self._event("shop.product.deleted", str(product), self._payload(product))

    def market(self, code: str) -> str:
        """A new market; gives its code."""
        self._event("shop.market.created", code, {"iso_code": code, "name": f"Land of {code}"})
        return code

    def delete_market(self, code: str) -> None:
        name = Market.objects.get(iso_code=code).name
        self._event("shop.market.deleted", code, {"iso_code": code, "name": name})

    def _payload(self, product: uuid.UUID) -> dict[str, Any]:
        copy = Product.objects.get(product_uuid=product)
        return {
            "product_uuid": str(product),
            "name": copy.name,
            "product_category": copy.product_category,
            "discontinued": copy.discontinued,
        }

    def _event(self, type: str, key: str, payload: dict[str, Any]) -> None:
        self._sequences[key] += 1
        handle_event({"type": type, "key": key, "sequence": self._sequences[key], "payload": payload})


@pytest.fixture
def arrive(db: None) -> Arrive:
    return Arrive()
