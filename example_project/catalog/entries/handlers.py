"""What the catalog does when the shop deletes something; the copies are marked before this runs."""

import uuid

from django_outbox import Event, handles

from . import rules


@handles("shop.product.deleted")
def remove_entries_of_deleted_product(event: Event) -> None:
    rules.remove_entries_of_product(uuid.UUID(event.key))


@handles("shop.market.deleted")
def remove_entries_in_deleted_market(event: Event) -> None:
    rules.remove_entries_in_market(event.key)
