from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from . import rules
from .models import Market, Product


@admin.register(Market)
class MarketAdmin(admin.ModelAdmin):
    list_display = ("iso_code", "name")
    search_fields = ("iso_code", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Market | None = None) -> tuple[str, ...]:
        return ("iso_code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Market, form: Any, change: bool) -> None:
        rules.save_market(obj)

    def delete_model(self, request: HttpRequest, obj: Market) -> None:
        rules.delete_market(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        for market in queryset:
            rules.delete_market(market)


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "product_category", "discontinued", "product_uuid")
    list_filter = ("discontinued", "product_category")
    search_fields = ("name", "product_uuid")
    readonly_fields = ("product_uuid",)
    actions = ("discontinue",)
    list_per_page = 50

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        rules.save_product(obj)

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        rules.delete_product(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        for product in queryset:
            rules.delete_product(product)

    @admin.action(description="Discontinue selected products", permissions=["change"])
    def discontinue(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        for product in queryset:
            rules.discontinue_product(product)
        self.message_user(request, f"{len(queryset)} discontinued.")
