"""What the catalog service's home page says."""

from django.conf import settings

from example_project.catalog.entries.models import CatalogEntry
from example_project.catalog.shop_copy.models import Market, Product
from example_project.frame.home import Link, Page, Rows

__all__ = ["page"]


def page() -> Page:
    here, other = settings.EXAMPLE_CATALOG_URL, settings.EXAMPLE_MONOLITH_URL
    return Page(
        name="Catalog service",
        summary="The first part that left the monolith. It owns the catalog entries and publishes every "
        "change of them; what it needs to know of products and markets it keeps in copies of its own.",
        owned=[Rows("catalog entries", CatalogEntry.objects.count(), "topic catalog.entry")],
        copied=[
            Rows("products", Product.objects.filter(outbox_deleted=False).count(), "from shop.product"),
            Rows("markets", Market.objects.filter(outbox_deleted=False).count(), "from shop.market"),
        ],
        links=[
            Link(f"{here}/catalog/admin", "the admin"),
            Link(f"{here}/catalog/api/v1", "entries: list, show, create, change, delete"),
            Link(f"{here}/catalog/api/v1/products", "the copies of the products"),
            Link(f"{here}/catalog/api/v1/markets", "the copies of the markets"),
            Link(f"{here}/catalog/api/v1/docs", "the API's documentation"),
        ],
        other_name="The monolith",
        other_links=[
            Link(f"{other}/", "its home page"),
            Link(f"{other}/admin", "its admin"),
            Link(f"{other}/api/v1/product", "its products"),
            Link(f"{other}/api/v1/catalog", "the old API of the entries"),
        ],
    )
