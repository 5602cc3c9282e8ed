from django.apps import AppConfig


class ShopCopyConfig(AppConfig):
    name = "example_project.catalog.shop_copy"
    label = "shop_copy"
    verbose_name = "Shop (copies)"
