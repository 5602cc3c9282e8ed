from django.apps import AppConfig


class EntriesConfig(AppConfig):
    name = "example_project.catalog.entries"
    label = "entries"
    verbose_name = "Catalog"
