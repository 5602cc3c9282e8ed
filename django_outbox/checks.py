"""System checks: one small builder each. Every id has its place in ``docs/reference/checks``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import packages_distributions
from typing import Any

from celery import current_app
from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from . import conf, contracts
from .consumer import handlers
from .producer import publications, wakeup
from .producer.mixins import OutboxMixin, OutboxQuerySet
from .replicas import problems as replicas


def _settings_problems() -> list[str]:
    return conf.problems(getattr(django_settings, "DJANGO_OUTBOX", {}))


@register(Tags.compatibility)
def check_settings(**_: Any) -> list[CheckMessage]:
    hint = "The settings are listed in docs/reference/settings."
    return [Error(problem, hint=hint, id="django_outbox.E001") for problem in _settings_problems()]


@register(Tags.models)
def check_publications(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    if _settings_problems():
        return []
    found: list[CheckMessage] = []
    for model in publications.declared():
        errors = publications.problems(model)
        found += [Error(problem, obj=model, id="django_outbox.E002") for problem in errors]
    return [*found, *_shared_topics(), *_proxies(), *_managers()]


def _shared_topics() -> Iterator[CheckMessage]:
    owners: dict[str, publications.Publication] = {}
    for publication in publications.publications():
        first = owners.setdefault(publication.topic, publication)
        if first is not publication and first.model is not publication.model:
            yield Error(
                f"{publication.label} and {first.label} both publish to {publication.topic!r}.",
                hint="Give each model a topic of its own: equal keys of two models would be one key.",
                obj=publication.model,
                id="django_outbox.E003",
            )


def _published_classes() -> list[type[OutboxMixin]]:
    return [model for model in apps.get_models() if issubclass(model, OutboxMixin)]


def _proxies() -> Iterator[CheckMessage]:
    for model in _published_classes():
        if model._meta.proxy and "Outbox" in vars(model):
            yield Error(
                f"{model._meta.label} is a proxy and has a class Outbox of its own.",
                hint="A proxy is published as its parent; put the options there.",
                obj=model,
                id="django_outbox.E004",
            )


def _managers() -> Iterator[CheckMessage]:
    for model in _published_classes():
        if not isinstance(model._default_manager.get_queryset(), OutboxQuerySet):
            yield Warning(
                f"{model._meta.label} is published, but its default manager does not record bulk writes.",
                hint="Derive the manager from OutboxManager, or its queryset from OutboxQuerySet.",
                obj=model,
                id="django_outbox.W001",
            )


@register(Tags.compatibility)
def check_schemas(**_: Any) -> list[CheckMessage]:
    return [Error(problem, id="django_outbox.E005") for problem in contracts.schema_problems()]


@register(Tags.compatibility)
def check_handlers(**_: Any) -> list[CheckMessage]:
    if _settings_problems():
        return []
    found: list[CheckMessage] = [
        Error(message, hint=hint, obj=where, id="django_outbox.E006")
        for message, hint, where in handlers.problems()
    ]
    return found


@register(Tags.models)
def check_replicas(**_: Any) -> list[CheckMessage]:
    if _settings_problems():
        return []
    return [
        Error(message, hint=hint, obj=where, id="django_outbox.E007")
        for message, hint, where in replicas.problems()
    ]


@register(Tags.compatibility)
def check_kafka_options(**_: Any) -> list[CheckMessage]:
    if _settings_problems() or conf.get_settings().broker != "kafka":
        return []
    from .brokers.kafka import option_problems

    options = conf.get_settings().kafka
    return [Error(problem, id="django_outbox.E008") for problem in option_problems(options)]


@register(Tags.compatibility)
def check_distributions(**_: Any) -> list[CheckMessage]:
    providers = sorted(set(packages_distributions().get("django_outbox", ())))
    if len(providers) < 2:
        return []
    return [
        Warning(
            f"Several installed distributions provide the package django_outbox: {', '.join(providers)}.",
            hint="Uninstall them all, then install the one you mean: they overwrite each other's files.",
            id="django_outbox.W002",
        )
    ]


@register(Tags.database)
def check_sqlite(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor == "sqlite":
            missing = _missing_sqlite_options(connection.settings_dict.get("OPTIONS", {}))
            if missing:
                found.append(
                    Warning(
                        f"The SQLite database {alias!r} lacks {', '.join(missing)} in OPTIONS.",
                        hint="Without them writers of several processes fail with 'database is locked'.",
                        id="django_outbox.W003",
                    )
                )
    return found


def _missing_sqlite_options(options: dict[str, Any]) -> list[str]:
    missing = []
    if options.get("transaction_mode") != "IMMEDIATE":
        missing.append("'transaction_mode': 'IMMEDIATE'")
    if "journal_mode" not in str(options.get("init_command", "")).lower():
        missing.append("'init_command': 'PRAGMA journal_mode=WAL'")
    if "timeout" not in options:
        missing.append("'timeout': 20")
    return missing


@register(Tags.compatibility)
def check_celery(**_: Any) -> list[CheckMessage]:
    if _settings_problems() or not conf.get_settings().wake_up or conf.get_settings().relay == "external":
        return []
    if current_app.conf.task_always_eager or wakeup.has_celery_broker(current_app):
        return []
    return [
        Warning(
            "WAKE_UP is on, but Celery has no broker: events wait for a running publish_events command.",
            hint="Configure Celery's broker_url, or set DJANGO_OUTBOX['WAKE_UP'] = False.",
            id="django_outbox.W004",
        )
    ]


@register(Tags.compatibility)
def check_undeclared(**_: Any) -> list[CheckMessage]:
    """A handler of a topic of our own service, for a type that none of our models has."""
    if _settings_problems():
        return []
    topics = {publication.topic for publication in publications.publications()}
    service = conf.get_settings().service
    handled = {topic for group in handlers.registry.groups() for topic in handlers.registry.topics(group)}
    ours = {topic for topic in handled if topic.startswith(f"{service}.")}
    return [
        Warning(
            f"There is a handler for {topic!r}, a topic of this service that no model publishes.",
            hint=conf.nearest(topic, sorted(topics)) if topics else "Publish a model to it.",
            id="django_outbox.W005",
        )
        for topic in sorted(ours - topics)
    ]
