"""What the monolith's home page says."""

from django.conf import settings

from example_project.frame.home import Link, Page, Rows
from example_project.monolith.catalog_copy.models import CatalogEntry
from example_project.monolith.products.models import Market, Product

__all__ = ["page"]


def page() -> Page:
    here, other = settings.EXAMPLE_MONOLITH_URL, settings.EXAMPLE_CATALOG_URL
    return Page(
        name="Monolith",
        summary="The old shop. It owns markets and products, publishes every change of them, and goes on "
        "answering for catalog entries from a copy, though these have moved to a service of their own.",
        owned=[
            Rows("products", Product.objects.count(), "topic shop.product"),
            Rows("markets", Market.objects.count(), "topic shop.market"),
        ],
        copied=[Rows("catalog entries", CatalogEntry.objects.count(), "from catalog.entry")],
        links=[
            Link(f"{here}/admin", "the admin"),
            Link(f"{here}/api/v1/product", "products: list, show, create, change, delete"),
            Link(f"{here}/api/v1/market", "markets: likewise"),
            Link(f"{here}/api/v1/catalog", "catalog entries: reads from the copy, writes go to the owner"),
        ],
        other_name="The catalog service",
        other_links=[
            Link(f"{other}/catalog/", "its home page"),
            Link(f"{other}/catalog/admin", "its admin"),
            Link(f"{other}/catalog/api/v1", "its API"),
        ],
    )
