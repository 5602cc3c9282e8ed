"""The history of the products' events, beside the copy."""

from django_outbox import Event, handles

from .models import ProductHistory


@handles("shop.product.*")
def append_to_history(event: Event) -> None:
    """Not idempotent on purpose: were an event handled twice, the history would show it."""
    product = event.payload
    state = ", discontinued" if product["discontinued"] else ""
    ProductHistory.append(
        event, f"{event.operation}: {product['name']} ({product['product_category']}{state})"
    )
