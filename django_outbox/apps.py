"""The app. ``ready()`` is its table of contents."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DjangoOutboxConfig(AppConfig):
    name = "django_outbox"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers the system checks
        from .consumer import handlers
        from .producer import cascades, schemas
        from .replicas import apply

        schemas.connect()
        cascades.connect()
        apply.connect()
        handlers.autodiscover()
        post_migrate.connect(_make_topic_rows, sender=self)


def _make_topic_rows(using: str, **_: Any) -> None:
    from django.db import connections, router

    from .producer.models import OutboxTopic
    from .producer.topics import make_topic_rows

    if not router.allow_migrate_model(using, OutboxTopic):
        return
    with connections[using].cursor() as cursor:
        tables = connections[using].introspection.table_names(cursor)
    if OutboxTopic._meta.db_table in tables:  # they are gone after ``migrate django_outbox zero``
        make_topic_rows(using)
