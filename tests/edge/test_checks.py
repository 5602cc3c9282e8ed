"""The system checks: each says what is wrong and what to do, and none prints a traceback."""

import pytest
from celery import Celery
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import models
from django.test.utils import isolate_apps

from django_outbox import OutboxMixin, checks
from django_outbox.consumer.handlers import handles, registry
from django_outbox.producer import publications


def ids(messages) -> list[str]:
    return [message.id for message in messages]


@pytest.fixture
def declared(monkeypatch):
    """Whatever a test declares is forgotten afterwards."""
    monkeypatch.setattr(publications, "_declared", dict(publications._declared))
    publications._forget()
    yield publications._declared
    monkeypatch.undo()
    publications._forget()


def test_the_test_project_is_clean() -> None:
    """No errors; the warning that Celery has no broker is true of it."""
    assert ids(checks.check_settings()) == []
    assert ids(checks.check_publications()) == []


@pytest.mark.django_db(databases=["default", "other"])
def test_an_unknown_setting_fails_check_without_a_traceback(settings) -> None:
    """P10: ``manage.py check`` lists it with the nearest name."""
    settings.DJANGO_OUTBOX = {"SERVICE": "shop", "KAFKAS": {}}
    with pytest.raises(SystemCheckError, match="unknown setting 'KAFKAS'; did you mean 'KAFKA'"):
        call_command("check")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs 'fields', a list of the names that are public"),
        ({"fields": "name"}, "needs 'fields'"),
        ({"fields": ["nam"]}, "names 'nam', which is no field of the model; did you mean 'name'?"),
        ({"fields": ["name"], "keys": "id"}, "has an unknown option 'keys'; did you mean 'key'?"),
        ({"fields": ["name"], "key": "sku"}, "Outbox.key names 'sku', which is no field"),
        ({"fields": ["name"], "key": "name"}, "Outbox.key names 'name', which is not unique"),
        ({"fields": ["name"], "key": "code"}, "Outbox.key names 'code', which may be null"),
        ({"fields": ["name"], "topic": "a b"}, "Outbox.topic must be 1 to 230 letters"),
        ({"fields": ["name"], "version": 0}, "Outbox.version must be a whole number from 1 on, not 0"),
        ({"fields": ["name"], "schema": []}, "Outbox.schema must be a dict"),
        ({"fields": ["name"], "schema": {"type": "objekt"}}, "Outbox.schema is no JSON Schema (2020-12)"),
        ({"fields": ["name"], "key": "extra"}, "Outbox.key names 'extra', which is computed or JSON"),
        ({"fields": ["name"], "compacted": 1}, "Outbox.compacted must be True or False, not 1"),
        ({"fields": ["tags"]}, "names 'tags', which is no column of the table"),
    ],
)
@isolate_apps("tests.shop")
def test_a_wrong_option_of_class_outbox_is_named(declared, options: dict[str, object], message: str) -> None:
    """P10: the model, the option, what came and what to write."""

    class Tag(models.Model):
        class Meta:
            app_label = "shop"

    class Item(OutboxMixin, models.Model):
        name = models.CharField(max_length=10)
        code = models.CharField(max_length=10, unique=True, null=True)
        extra = models.JSONField(unique=True)
        tags = models.ManyToManyField(Tag)
        Outbox = type("Outbox", (), options)

        class Meta:
            app_label = "shop"

    [error] = [found for found in checks.check_publications() if found.obj is Item]
    assert error.id == "django_outbox.E002"
    assert "shop.Item.Outbox" in error.msg
    assert message in error.msg


@isolate_apps("tests.shop")
def test_two_models_on_one_topic_are_an_error(declared) -> None:
    """Trap 60: equal keys of two models would be one key."""

    class Item(OutboxMixin, models.Model):
        class Meta:
            app_label = "shop"

        class Outbox:
            topic = "shop.product"
            fields = ["id"]

    [error] = [found for found in checks.check_publications() if found.id == "django_outbox.E003"]
    assert "both publish to 'shop.product'" in error.msg


@pytest.fixture
def isolated(declared, monkeypatch):
    """An app registry of the test's own."""
    with isolate_apps("tests.shop") as registry:
        monkeypatch.setattr(checks, "apps", registry)
        yield


def test_a_proxy_with_an_outbox_of_its_own_is_an_error(isolated) -> None:
    """A proxy is its parent."""

    class Item(OutboxMixin, models.Model):
        class Meta:
            app_label = "shop"

        class Outbox:
            fields = ["id"]

    class ItemProxy(Item):
        class Meta:
            app_label = "shop"
            proxy = True

        class Outbox:
            fields = ["id"]

    assert [found.obj for found in checks.check_publications() if found.id == "django_outbox.E004"] == [
        ItemProxy
    ]


def test_a_manager_that_does_not_record_is_a_warning(isolated) -> None:
    """Bulk writes through it would pass unseen."""

    class Item(OutboxMixin, models.Model):
        objects = models.Manager()

        class Meta:
            app_label = "shop"

        class Outbox:
            fields = ["id"]

    assert [found.obj for found in checks.check_publications() if found.id == "django_outbox.W001"] == [Item]


def test_a_wrong_handler_is_an_error_of_check() -> None:
    """P10: with its signature and how to write it."""
    with registry.isolated():

        @handles("shop.product.*")
        def reprice(event, other): ...

        [error] = checks.check_handlers()
    assert error.id == "django_outbox.E006"
    assert "reprice(event, other) must take one argument, the event" in error.msg


def test_a_handler_for_a_topic_that_no_model_of_ours_has_is_a_warning() -> None:
    """Trap 44: for topics of this service only."""
    with registry.isolated():

        @handles("shop.prodct.*", "crm.customer.*")
        def react(event): ...

        [warning] = checks.check_undeclared()
    assert warning.id == "django_outbox.W005"
    assert "'shop.prodct'" in warning.msg
    assert "did you mean 'shop.product'" in warning.hint


def test_unknown_kafka_options_are_errors(settings) -> None:
    """librdkafka's own words, without a network."""
    settings.DJANGO_OUTBOX = {"SERVICE": "shop", "KAFKA": {"bootstrap.server": "localhost:9092"}}
    missing, unknown = checks.check_kafka_options()
    assert (missing.id, unknown.id) == ("django_outbox.E008", "django_outbox.E008")
    assert "needs 'bootstrap.servers'" in missing.msg
    assert "did you mean 'bootstrap.servers'?" in unknown.msg


def test_two_distributions_of_our_name_are_a_warning(monkeypatch) -> None:
    """The name on PyPI is somebody else's: installed side by side they overwrite each other."""
    monkeypatch.setattr(
        checks, "packages_distributions", lambda: {"django_outbox": ["a-fork", "django-outbox"]}
    )
    [warning] = checks.check_distributions()
    assert warning.id == "django_outbox.W002"
    assert "a-fork, django-outbox" in warning.msg
    monkeypatch.setattr(checks, "packages_distributions", lambda: {"django_outbox": ["django-outbox"] * 2})
    assert checks.check_distributions() == []


def test_sqlite_without_its_options_is_a_warning(monkeypatch) -> None:
    """Each missing option is named."""
    from django.db import connections

    if connections["default"].vendor != "sqlite":
        pytest.skip("the default database is not SQLite")
    assert checks.check_sqlite(databases=["default"]) == []
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", {"timeout": 20})
    [warning] = checks.check_sqlite(databases=["default"])
    assert "'transaction_mode': 'IMMEDIATE'" in warning.msg
    assert "journal_mode" in warning.msg
    assert "timeout" not in warning.msg


def test_hints_without_a_celery_broker_are_a_warning(monkeypatch, settings) -> None:
    """Events would wait for a relay that runs."""
    app = Celery("test", set_as_current=False)
    monkeypatch.setattr(checks, "current_app", app)
    assert ids(checks.check_celery()) == ["django_outbox.W004"]
    app.conf.broker_url = "redis://127.0.0.1/0"
    assert checks.check_celery() == []
    app.conf.broker_url = None
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "WAKE_UP": False}
    assert checks.check_celery() == []
