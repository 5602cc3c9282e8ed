"""The relay against a broker that answers, refuses, or does not answer."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from django_outbox import event_published, record_event
from django_outbox.brokers.base import Message, Verdict
from django_outbox.brokers.memory import MemoryBroker
from django_outbox.producer import held
from django_outbox.producer.lanes import LostToken
from django_outbox.producer.models import HeldKey, Lane, OutboxEvent
from django_outbox.producer.models import Relay as RelayRow
from django_outbox.producer.relay import Outcome, Relay
from django_outbox.producer.service import drain, drain_to_the_end
from tests.producer.conftest import unsent
from tests.shop.models import Product

pytestmark = pytest.mark.django_db

TOPIC = "shop.product"
Publish = Callable[[], Outcome]


def facts(key: str, *words: str) -> None:
    for word in words:
        record_event(f"{TOPIC}.{word}", key=key, payload={"word": word})


def written(broker: MemoryBroker) -> list[tuple[str, int]]:
    """(key, sequence) of everything on the topic."""
    return [
        ((message.key or b"").decode(), int(dict(message.headers)["ce_sequence"] or b""))
        for message in broker.messages(TOPIC)
    ]


def of_sequence(key: str, sequence: int) -> Callable[[Message], bool]:
    def fits(message: Message) -> bool:
        return message.key == key.encode() and dict(message.headers)["ce_sequence"] == b"%019d" % sequence

    return fits


def test_what_was_recorded_is_published_in_order_and_marked(broker: MemoryBroker, publish: Publish) -> None:
    """P3, P4: the message is on the broker, then ``sent`` is true."""
    facts("a", "one", "two", "three")
    facts("b", "one", "two")
    assert publish() is Outcome.IDLE
    assert [n for k, n in written(broker) if k == "a"] == [1, 2, 3]
    assert [n for k, n in written(broker) if k == "b"] == [1, 2]
    assert unsent() == 0
    assert OutboxEvent.objects.filter(sent_at=None).count() == 0


def test_a_message_is_a_cloud_event(broker: MemoryBroker, publish: Publish) -> None:
    """The headers and the value are readable without Python."""
    product = Product.objects.create(name="Sägeblatt")
    publish()
    [message] = broker.messages(TOPIC)
    headers = {name: (value or b"").decode() for name, value in message.headers}
    row = OutboxEvent.objects.get()
    assert message.key == str(product.product_uuid).encode()
    assert '"name":"Sägeblatt"' in (message.value or b"").decode()
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": str(row.event_id),
        "ce_source": "/shop",
        "ce_type": "shop.product.created",
        "ce_time": row.recorded_at.isoformat(),
        "ce_subject": str(product.product_uuid),
        "ce_sequence": "0000000000000000001",
        "ce_partitionkey": str(product.product_uuid),
        "ce_dataschema": "urn:django-outbox:schema:shop.product.created:v1",
        "ce_epoch": "1",
        "ce_operation": "created",
        "content-type": "application/json",
    }


def test_an_absent_broker_marks_nothing_and_burns_no_attempts(broker: MemoryBroker, publish: Publish) -> None:
    """P2, P3, P5, traps 17 and 21: the outage holds everything up and buries nothing."""
    facts("a", "one")
    broker.down()
    for _ in range(20):
        assert publish() is Outcome.BLOCKED
    assert unsent() == 1
    assert not HeldKey.objects.exists()
    broker.up()
    publish()
    assert written(broker) == [("a", 1)]
    assert unsent() == 0


def test_a_refused_event_holds_its_key_and_no_other(broker: MemoryBroker, publish: Publish) -> None:
    """P5, trap 16: behind the refused one nothing of its key goes out; other keys flow."""
    facts("a", "one", "two", "three")
    facts("b", "one", "two")
    broker.refuse(of_sequence("a", 2), Verdict.PERMANENT, "too large")
    publish()
    assert [n for k, n in written(broker) if k == "b"] == [1, 2]
    held_key = HeldKey.objects.get()
    assert (held_key.key, held_key.dead) == ("a", True)
    assert "shop.product.two #2" in held_key.error
    assert "too large" in held_key.error
    assert list(OutboxEvent.objects.filter(sent=False).values_list("key", "sequence")) == [("a", 2), ("a", 3)]
    broker.accept_all()
    assert publish() is Outcome.IDLE
    assert unsent() == 2, "a dead key waits for an operator"
    assert held.retry(HeldKey.objects.all()) == 1
    publish()
    firsts = list(dict.fromkeys(n for k, n in written(broker) if k == "a"))
    assert firsts[-2:] == [2, 3], "the run is repeated from the refused event"
    assert unsent() == 0
    assert not HeldKey.objects.exists()


def test_the_first_event_of_a_key_goes_out_alone(broker: MemoryBroker) -> None:
    """If the first were refused and the second taken, no consumer could see the hole."""
    facts("a", "one", "two")
    broker.refuse(of_sequence("a", 1), Verdict.TRANSIENT, "later")
    relay = Relay("default", broker.publisher(), standing=False)
    relay.step()
    assert written(broker) == []


def test_innocents_of_a_refused_batch_are_judged_alone(broker: MemoryBroker, publish: Publish) -> None:
    """Trap 62: a broker gives the error of one message to all of its batch."""
    facts("a", "one")
    facts("b", "one")
    publisher = broker.publisher()
    asked: list[int] = []

    class RefusesBatches:
        def publish(self, messages, deadline_seconds):
            asked.append(len(messages))
            if len(messages) > 1:
                from django_outbox.brokers.base import Delivery

                return [Delivery(Verdict.PERMANENT, "too large")] * len(messages)
            return publisher.publish(messages, deadline_seconds)

        def close(self) -> None:
            publisher.close()

    Relay("default", RefusesBatches(), standing=False).step()
    assert asked == [2, 1, 1]
    assert unsent() == 0
    assert not HeldKey.objects.exists()


def test_an_event_that_fails_while_others_pass_dies_after_its_attempts(
    broker: MemoryBroker, publish: Publish, settings
) -> None:
    """Trap 22: what looks like an outage of one event alone is that event's trouble."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "MAX_ATTEMPTS": 2}
    from django_outbox.brokers import get_broker

    broker = get_broker()
    broker.refuse(lambda message: message.key == b"a", Verdict.TRANSIENT, "no luck")
    facts("a", "one")
    for attempt in (1, 2):
        facts("b", f"word{attempt}")
        relay = Relay("default", broker.publisher(), standing=False)
        relay.step()
        relay.close()
        assert HeldKey.objects.get().attempts == attempt
        HeldKey.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    assert HeldKey.objects.get().dead
    assert [k for k, _ in written(broker)] == ["b", "b"]


def test_an_event_of_which_nothing_is_heard_waits_and_never_dies(broker: MemoryBroker, settings) -> None:
    """P5, trap 21: one broker of several is away for long; no key of it is buried for that."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "MAX_ATTEMPTS": 1}
    from django_outbox.brokers import get_broker

    broker = get_broker()
    broker.refuse(lambda message: message.key == b"a", Verdict.UNREPORTED, "no report")
    facts("a", "one")
    for word in ("one", "two", "three"):
        facts("b", word)
        relay = Relay("default", broker.publisher(), standing=False)
        relay.step()
        relay.close()
        held_key = HeldKey.objects.get()
        assert not held_key.dead
        assert held_key.next_try_at > timezone.now(), "meanwhile it holds up nobody"
        HeldKey.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    broker.accept_all()
    assert drain("default")
    assert unsent() == 0


def test_a_lonely_event_that_fails_is_never_buried(broker: MemoryBroker, publish: Publish) -> None:
    """Trap 21: when nothing else passes, it is taken for an outage."""
    broker.refuse(lambda message: True, Verdict.TRANSIENT, "no luck")
    facts("a", "one")
    for _ in range(12):
        assert publish() is Outcome.BLOCKED
    assert not HeldKey.objects.exists()


def test_a_crash_between_acknowledgement_and_mark_repeats_the_same_event(
    broker: MemoryBroker, publish: Publish, monkeypatch
) -> None:
    """Trap 19: a duplicate has the id and the sequence of the first, nothing else."""
    facts("a", "one")
    relay = Relay("default", broker.publisher(), standing=False)
    relay.lanes.renew()
    from django_outbox.producer import backlog

    batch = backlog.read("default", relay.lanes.token, 10)
    relay._publish(batch)  # and the process dies here
    relay.close()
    publish()
    first, second = broker.messages(TOPIC)
    assert (first.headers, first.value) == (second.headers, second.value)
    assert unsent() == 0


def test_a_relay_that_was_overtaken_marks_and_buries_nothing(broker: MemoryBroker, publish: Publish) -> None:
    """Trap 15: its marks and its dead letters are refused by the token."""
    facts("a", "one")
    stale = Relay("default", broker.publisher(), standing=False)
    stale.lanes.renew()
    RelayRow.objects.update(alive_until=timezone.now() - timedelta(seconds=1))
    fresh = Relay("default", broker.publisher(), standing=False)
    fresh.lanes.renew()
    event = OutboxEvent.objects.get()
    with pytest.raises(LostToken):
        stale.lanes.mark_sent([event.id])
    with pytest.raises(LostToken):
        held.bury(stale.lanes, event, "too large")
    assert unsent() == 1
    assert not HeldKey.objects.exists()
    fresh.lanes.mark_sent([event.id])
    assert unsent() == 0


def test_one_hot_key_does_not_hold_up_others(broker: MemoryBroker, settings) -> None:
    """Trap 26: each lane has its share of a batch."""
    for number in range(300):
        facts("hot", f"word{number}")
    facts("other", "one")
    relay = Relay("default", broker.publisher(), standing=False)
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "RELAY_BATCH_EVENTS": 20}
    relay.step()
    assert ("other", 1) in written(broker)
    assert len(written(broker)) <= 20


def test_published_events_are_told(broker: MemoryBroker, publish: Publish) -> None:
    """``event_published`` comes after the mark."""
    heard = []

    def receiver(event, using, **_):
        heard.append((event.type, using, OutboxEvent.objects.get(event_id=event.id).sent))

    event_published.connect(receiver)
    try:
        facts("a", "one")
        publish()
    finally:
        event_published.disconnect(receiver)
    assert heard == [("shop.product.one", "default", True)]


def test_a_drain_leaves_living_relays_their_lanes(broker: MemoryBroker) -> None:
    """``--once`` does not wait for rows in the lanes of others, and calls them not held back."""
    standing = Relay("default", broker.publisher(), standing=True)
    standing.lanes.renew()
    facts("a", "one")
    assert drain("default")
    assert unsent() == 1
    standing.step()
    assert unsent() == 0


@pytest.mark.slow
def test_a_drain_takes_the_lanes_of_a_dead_relay(broker: MemoryBroker, settings) -> None:
    """``--once`` waits for the token of a relay that was killed, then does its work."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "RELAY_TOKEN_SECONDS": 2.5, "PUBLISH_SECONDS": 0.3}
    dead = Relay("default", broker.publisher(), standing=True)
    dead.lanes.renew()
    facts("a", "one")
    assert drain_to_the_end("default") == []
    assert unsent() == 0


def test_a_drain_says_what_is_held_back(broker: MemoryBroker) -> None:
    """``--once`` names the key and the error."""
    broker.refuse(lambda message: message.key == b"a", Verdict.PERMANENT, "too large")
    facts("a", "one")
    [line] = drain_to_the_end("default")
    assert "key 'a' of shop.product" in line
    assert "too large" in line


def test_lanes_are_shared_fairly_and_handed_over(broker: MemoryBroker) -> None:
    """Two standing relays have 32 lanes each; when one leaves, the other has them all at once."""
    one, two = (Relay("default", broker.publisher(), standing=True).lanes for _ in range(2))

    def held_by(lanes) -> int:
        return Lane.objects.filter(holder=lanes.token).count()

    def renew(lanes) -> None:
        lanes._renewed = 0.0
        lanes.renew()

    renew(one)
    assert held_by(one) == 64
    renew(two)
    renew(one)
    renew(two)
    assert (held_by(one), held_by(two)) == (32, 32)
    two.release()
    renew(one)
    assert held_by(one) == 64
