from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import HttpRequest

from example_project.frame.admin import HistoryAdmin, ReadOnlyAdmin

from .models import CatalogEntry, EntryHistory

admin.site.register(EntryHistory, HistoryAdmin)


@admin.register(CatalogEntry)
class CatalogEntryAdmin(ReadOnlyAdmin):
    list_display = ("product_name", "market_code", "availability_date", "availability_end_date", "entry_uuid")
    list_filter = ("market",)
    search_fields = ("entry_uuid", "product__product_uuid", "product__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogEntry]:
        return super().get_queryset(request).prefetch_related("product")

    @admin.display(description="market", ordering="market_id")
    def market_code(self, entry: CatalogEntry) -> str:
        return entry.market_id

    @admin.display(description="product", ordering="product_id")
    def product_name(self, entry: CatalogEntry) -> str:
        # A deleted product's entries stay here until their owner has removed them.
        try:
            return entry.product.name
        except ObjectDoesNotExist:
            return f"{entry.product_id} (deleted)"
