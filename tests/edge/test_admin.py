"""The admin shows every table, writes none, and retries keys."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from django_outbox.consumer.models import ConsumerKey, ParkedMessage
from django_outbox.events import identity
from django_outbox.producer.models import HeldKey, OutboxEvent
from django_outbox.wire import encode_headers
from tests.shop.models import Product

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "django_outbox"]


def page(model, name: str = "changelist", *args: object) -> str:
    return reverse(f"admin:django_outbox_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_table_is_shown_and_none_is_written(admin_client, model) -> None:
    """Even a superuser cannot add a row."""
    Product.objects.create(name="Saw")
    assert admin_client.get(page(model)).status_code == 200
    assert admin_client.get(page(model, "add")).status_code == 403


def test_an_event_is_shown_and_cannot_be_changed(admin_client) -> None:
    """The page has no save button and no delete link."""
    Product.objects.create(name="Saw")
    event = OutboxEvent.objects.get()
    response = admin_client.get(page(OutboxEvent, "change", event.pk))
    assert response.status_code == 200
    assert b"_save" not in response.content
    assert admin_client.post(page(OutboxEvent, "change", event.pk), {"sent": "on"}).status_code == 403
    assert admin_client.post(page(OutboxEvent, "delete", event.pk), {"post": "yes"}).status_code == 403


@pytest.fixture
def held_key() -> HeldKey:
    tomorrow = timezone.now() + timedelta(days=1)
    return HeldKey.objects.create(
        key_hash=identity("t", "k"),
        topic="t",
        key="k",
        attempts=10,
        dead=True,
        next_try_at=tomorrow,
        error="large",
    )


def test_a_held_key_is_retried(admin_client, held_key: HeldKey) -> None:
    """The action makes it due; the relay does the work."""
    form = {"action": "retry", "_selected_action": [held_key.pk]}
    response = admin_client.post(page(HeldKey), form, follow=True)
    assert b"1 key is due" in response.content
    held_key.refresh_from_db()
    assert (held_key.dead, held_key.attempts) == (False, 0)
    assert held_key.next_try_at <= timezone.now()


def test_retrying_asks_for_a_permission(client, held_key: HeldKey) -> None:
    """Who may only look is not offered the action."""
    user = User.objects.create_user("looker", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_heldkey"))
    client.force_login(user)
    client.post(page(HeldKey), {"action": "retry", "_selected_action": [held_key.pk]})
    held_key.refresh_from_db()
    assert held_key.dead
    user.user_permissions.add(Permission.objects.get(codename="change_heldkey"))
    client.post(page(HeldKey), {"action": "retry", "_selected_action": [held_key.pk]})
    held_key.refresh_from_db()
    assert not held_key.dead


def parked_message(sequence: int, state: ParkedMessage.State) -> ParkedMessage:
    headers = (("ce_id", b"x"), ("ce_type", b"t.seen"), ("ce_sequence", b"%d" % sequence), ("ce_epoch", b"1"))
    key = ConsumerKey.objects.create(id=identity("g", "t", "k"), group="g", topic="t", key="k", parked=True)
    return ParkedMessage.objects.create(
        group="g",
        key_row=key,
        topic="t",
        partition=0,
        offset=1,
        epoch=1,
        sequence=sequence,
        message_key=b"k",
        message_value='{"name": "Säge"}'.encode(),
        message_headers=encode_headers(headers),
        state=state,
        attempts=10,
        error="Traceback ...\nZeroDivisionError: division by zero",
    )


def test_a_parked_key_is_retried_from_its_message(admin_client) -> None:
    """The page shows the whole error and the message's text; the action makes the key due."""
    message = parked_message(1, ParkedMessage.State.FAILED)
    shown = admin_client.get(page(ParkedMessage, "change", message.pk)).content.decode()
    assert "Säge" in shown
    assert "ZeroDivisionError" in shown
    form = {"action": "retry", "_selected_action": [message.pk]}
    assert b"1 key is due" in admin_client.post(page(ParkedMessage), form, follow=True).content
    message.refresh_from_db()
    assert (message.state, message.attempts) == (ParkedMessage.State.WAITING, 0)
    assert message.next_try_at is not None
    assert message.next_try_at <= timezone.now()


def press(client, action: str, key: ConsumerKey) -> str:
    form = {"action": action, "_selected_action": [key.pk]}
    return client.post(page(ConsumerKey), form, follow=True).content.decode()


def test_the_first_waiting_event_of_a_key_is_skipped(admin_client) -> None:
    """It stays as a record, and the key goes on behind it."""
    message = parked_message(1, ParkedMessage.State.FAILED)
    assert "Events skipped, with a record: 1." in press(admin_client, "skip", message.key_row)
    message.refresh_from_db()
    message.key_row.refresh_from_db()
    assert (message.state, message.key_row.sequence) == (ParkedMessage.State.SKIPPED, 1)


def test_a_hole_is_given_up_and_never_skipped(admin_client) -> None:
    """A skip over a hole is refused with the reason; giving up keeps the number as missing."""
    message = parked_message(3, ParkedMessage.State.WAITING)
    ConsumerKey.objects.update(epoch=1, sequence=1)
    assert "waits for number 2; give that up first" in press(admin_client, "skip", message.key_row)
    assert "Keys whose wait is over: 1." in press(admin_client, "give_up", message.key_row)
    states = dict(ParkedMessage.objects.values_list("sequence", "state"))
    assert states == {2: ParkedMessage.State.MISSING, 3: ParkedMessage.State.WAITING}
