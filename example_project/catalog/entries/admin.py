from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from . import rules
from .models import CatalogEntry


class EntryForm(forms.ModelForm):
    """Refuses what the rules refuse; the admin's transaction keeps their locks until it saves."""

    class Meta:
        model = CatalogEntry
        fields = ("product", "market", "availability_date", "availability_end_date")

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                rules.check_entry(self.instance)
            except forms.ValidationError as error:
                self.add_error(None, error)


@admin.register(CatalogEntry)
class CatalogEntryAdmin(admin.ModelAdmin):
    form = EntryForm
    list_display = ("product_name", "market_code", "availability_date", "availability_end_date", "entry_uuid")
    list_filter = ("market",)
    list_per_page = 50
    search_fields = ("entry_uuid", "product__name", "product__product_uuid")
    autocomplete_fields = ("product", "market")
    readonly_fields = ("entry_uuid",)

    @admin.display(description="market", ordering="market_id")
    def market_code(self, entry: CatalogEntry) -> str:
        return entry.market_id

    @admin.display(description="product", ordering="product__name")
    def product_name(self, entry: CatalogEntry) -> str:
        return entry.product.name

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogEntry]:
        return super().get_queryset(request).select_related("product")

    def delete_model(self, request: HttpRequest, obj: CatalogEntry) -> None:
        rules.remove_entry(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for entry in queryset:
            rules.remove_entry(entry)
