"""The owner's commands: what they say and how they exit."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import transaction

from django_outbox import record_event
from django_outbox.brokers import get_broker
from django_outbox.brokers.base import Verdict
from tests.producer.conftest import unsent

pytestmark = pytest.mark.django_db(databases=["default", "other"])


@pytest.fixture
def broker(settings) -> Iterator[object]:
    """A memory broker of the test's own."""
    settings.DJANGO_OUTBOX = dict(settings.DJANGO_OUTBOX)
    return get_broker()


def test_once_publishes_what_is_there(broker, capsys) -> None:
    """Exit code 0 and a sentence."""
    record_event("shop.product.seen", key="k", payload={})
    call_command("publish_events", "--once")
    assert "Everything is published." in capsys.readouterr().out
    assert unsent() == 0


def test_once_says_what_was_held_back(broker) -> None:
    """Exit code 1, the key and the broker's words."""
    broker.refuse(lambda message: True, Verdict.PERMANENT, "too large")
    record_event("shop.product.seen", key="k", payload={})
    with pytest.raises(CommandError, match=r"Held back: key 'k' of shop.product: .*too large") as caught:
        call_command("publish_events", "--once")
    assert caught.value.returncode == 1


def test_once_says_that_the_broker_is_away(broker) -> None:
    """Exit code 1; nothing is lost."""
    broker.down()
    record_event("shop.product.seen", key="k", payload={})
    with pytest.raises(CommandError, match="1 events of 'default': the broker takes nothing"):
        call_command("publish_events", "--once")
    assert unsent() == 1


def test_an_external_relay_is_not_disturbed(settings) -> None:
    """Two relays of different kinds on one table would publish everything twice."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "RELAY": "external"}
    with pytest.raises(CommandError, match="somebody else drains the outbox"):
        call_command("publish_events")


def test_the_schedule_without_beat_is_a_snippet() -> None:
    """Whoever has no django-celery-beat gets the lines to paste."""
    if apps.is_installed("django_celery_beat"):
        pytest.skip("django_celery_beat is installed in the test project")
    with pytest.raises(CommandError) as caught:
        call_command("outbox_schedule")
    snippet = str(caught.value)[str(caught.value).index("CELERY_BEAT_SCHEDULE") :]
    scope: dict[str, dict[str, dict[str, object]]] = {}
    exec(snippet, scope)
    assert scope["CELERY_BEAT_SCHEDULE"]["django_outbox.publish_unsent"]["schedule"] == 10


@pytest.mark.slow
def test_settings_that_are_wrong_end_every_command_without_a_traceback() -> None:
    """P10: a user reads a sentence, and the exit code is not 0."""
    script = (
        "import sys, django\n"
        "from django.conf import settings\n"
        "outbox = {'SERVICE': 'shop', 'KAFAK': {}}\n"
        "settings.configure(INSTALLED_APPS=['django_outbox'], DJANGO_OUTBOX=outbox)\n"
        "django.setup()\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(['manage.py', sys.argv[1]])\n"
    )
    for command in ("check", "publish_events", "consume_events"):
        ran = subprocess.run(
            [sys.executable, "-c", script, command], capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 1, command
        assert "unknown setting 'KAFAK'; did you mean 'KAFKA'?" in ran.stderr
        assert "Traceback" not in ran.stderr


@pytest.mark.django_db(transaction=True)
def test_the_tables_can_be_taken_away_and_brought_back() -> None:
    """``migrate django_outbox zero`` ends without a traceback."""
    call_command("migrate", "django_outbox", "zero", verbosity=0)
    call_command("migrate", "django_outbox", verbosity=0)
    record_event_in_a_transaction()
    assert unsent() == 1


def record_event_in_a_transaction() -> None:
    with transaction.atomic():
        record_event("shop.product.seen", key="k", payload={})
