from django.apps import AppConfig


class CatalogCopyConfig(AppConfig):
    name = "example_project.monolith.catalog_copy"
    label = "catalog_copy"
    verbose_name = "Catalog (copy)"
