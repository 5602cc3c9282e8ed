from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "example_project.monolith.products"
    label = "products"
    verbose_name = "Products"
