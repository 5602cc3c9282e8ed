from django.contrib import admin

from example_project.frame.admin import HistoryAdmin, ReadOnlyAdmin

from .models import Market, Product, ProductHistory

admin.site.register(ProductHistory, HistoryAdmin)


@admin.register(Market)
class MarketAdmin(ReadOnlyAdmin):
    list_display = ("iso_code", "name", "outbox_deleted")
    search_fields = ("iso_code", "name")


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ("name", "product_category", "discontinued", "outbox_deleted", "product_uuid")
    list_filter = ("discontinued", "outbox_deleted", "product_category")
    search_fields = ("name", "product_uuid")
