"""What every broker must do: the same tests on the memory, the development broker and Apache Kafka."""

from __future__ import annotations

import time

import pytest

from django_outbox.brokers.base import (
    BrokerUnavailable,
    Delivery,
    Message,
    OffsetOutOfRange,
    Partition,
    Verdict,
)
from django_outbox.exceptions import BrokerError

from .conftest import TOO_LARGE, Rig


def test_messages_of_a_key_are_fetched_in_the_order_they_were_published(rig: Rig) -> None:
    """Ten keys with twenty messages each, published in three batches, come back in order per key."""
    topic = rig.topic()
    pairs = [(b"key-%d" % (n % 10), b"%d" % n) for n in range(200)]
    for batch in (pairs[:1], pairs[1:150], pairs[150:]):
        rig.publish(topic, *batch)
    fetched = rig.member(topic).fetch_count(200)
    for key in {key for key, _ in pairs}:
        mine = [message for message in fetched if message.key == key]
        assert [message.value for message in mine] == [value for k, value in pairs if k == key]
        assert len({message.partition for message in mine}) == 1
        assert [message.offset for message in mine] == sorted(message.offset for message in mine)


def test_every_message_gets_its_own_delivery(rig: Rig) -> None:
    """The answer has one acknowledgement for each message."""
    topic = rig.topic()
    deliveries = rig.lasting_publisher().publish([Message(topic, b"k", b"%d" % n) for n in range(5)], 10)
    assert deliveries == [Delivery(Verdict.ACKNOWLEDGED)] * 5


def test_no_messages_are_no_deliveries(rig: Rig) -> None:
    """An empty batch is answered at once."""
    assert rig.publisher().publish([], 5) == []


def test_keys_values_and_headers_survive_as_they_are(rig: Rig) -> None:
    """Bytes that are no UTF-8, NULs, nulls and empty values come back unchanged, with a timestamp."""
    topic = rig.topic()
    headers = (("ce_id", b"1"), ("n", None), ("ce_id", b"\x00\xff"), ("e", b""))
    sent = [
        Message(topic, b"\x00\xff\xfe", b"\x80", headers),
        Message(topic, b"deleted", None),
        Message(topic, b"empty", b""),
        Message(topic, None, b"no key"),
        Message(topic, b"", b"empty key"),
    ]
    assert all(delivery.acknowledged for delivery in rig.lasting_publisher().publish(sent, 10))
    fetched = {message.value: message for message in rig.member(topic).fetch_count(len(sent))}
    for message in sent:
        got = fetched[message.value]
        assert (got.topic, got.key, got.headers) == (topic, message.key, message.headers)
        assert abs(got.timestamp_ms / 1000 - time.time()) < 60


def test_a_message_that_is_too_large_is_refused_and_stops_its_key(rig: Rig) -> None:
    """The refused one is permanent, its key's next was not sent, and other keys go on."""
    topic = rig.topic()
    batch = [Message(topic, b"a", b"a1"), Message(topic, b"a", TOO_LARGE), Message(topic, b"b", b"b1")]
    batch += [Message(topic, b"a", b"a3"), Message(topic, b"b", b"b2")]
    deliveries = rig.lasting_publisher().publish(batch, 10)
    assert [delivery.verdict for delivery in deliveries] == [
        Verdict.ACKNOWLEDGED,
        Verdict.PERMANENT,
        Verdict.ACKNOWLEDGED,
        Verdict.TRANSIENT,
        Verdict.ACKNOWLEDGED,
    ]
    assert deliveries[1].error and "not sent" in deliveries[3].error
    values = {message.value for message in rig.member(topic).fetch_count(3)}
    assert values == {b"a1", b"b1", b"b2"}


def test_a_new_group_starts_at_the_earliest_message(rig: Rig) -> None:
    """What was there before the first start is not skipped (trap 38)."""
    topic = rig.topic()
    rig.publish(topic, (b"k", b"before"))
    member = rig.member(topic)
    assert [message.value for message in member.fetch_count(1)] == [b"before"]
    assert sorted(member.assigned) == [Partition(topic, number) for number in range(4)]
    assert member.subscriber.assignment() == frozenset(member.assigned)


def test_a_partition_starts_where_on_assign_says(rig: Rig) -> None:
    """The offset of the caller wins over what was committed."""
    topic = rig.topic()
    rig.publish(topic, *[(b"k", b"%d" % n) for n in range(6)])
    first = rig.member(topic)
    at = first.fetch_count(6)[0].at
    first.subscriber.commit({at: 6})
    first.subscriber.close()
    second = rig.member(topic, starts={at: 4})
    assert [message.value for message in second.fetch_count(2)] == [b"4", b"5"]


def test_seek_goes_back_and_forth(rig: Rig) -> None:
    """After a seek the next message is the one at its offset, also when later ones lay fetched."""
    topic = rig.topic()
    rig.publish(topic, *[(b"k", b"%d" % n) for n in range(10)])
    member = rig.member(topic)
    first = member.fetch_count(1)[0]
    for offset in (5, 0, 9, 2):
        member.subscriber.seek(first.at, offset)
        got = member.fetch_count(1)
        assert got[0].value == b"%d" % offset


def test_fetch_gives_no_more_than_the_limit(rig: Rig) -> None:
    """Nothing is lost when a fetch takes only part of what is there."""
    topic = rig.topic()
    rig.publish(topic, *[(b"k", b"%d" % n) for n in range(7)])
    member = rig.member(topic)
    sizes, values = [], []
    while len(values) < 7:
        fetched = member.subscriber.fetch(3, 5)
        sizes.append(len(fetched))
        values += [message.value for message in fetched]
    assert max(sizes) <= 3
    assert values == [b"%d" % n for n in range(7)]


def test_a_paused_partition_waits_and_loses_nothing(rig: Rig) -> None:
    """Messages that lay fetched behind a pause come after the resume, in order."""
    topic = rig.topic()
    rig.publish(topic, *[(b"k", b"%d" % n) for n in range(5)])
    member = rig.member(topic)
    first = member.fetch_until(bool)
    at = first[0].at
    member.subscriber.pause([at])
    rig.publish(topic, (b"k", b"5"))
    assert member.subscriber.fetch(10, 0.3) == []
    member.subscriber.resume([at])
    rest = member.fetch_count(6 - len(first))
    assert [message.value for message in [*first, *rest]] == [b"%d" % n for n in range(6)]


def test_an_idle_fetch_returns_in_time(rig: Rig) -> None:
    """A topic without messages holds nobody up (trap 41)."""
    member = rig.member(rig.topic())
    member.fetch_until(lambda _: len(member.assigned) == 4)
    begin = time.monotonic()
    assert member.subscriber.fetch(100, 0.3) == []
    assert 0.25 <= time.monotonic() - begin < 1


def test_a_message_wakes_a_waiting_fetch(rig: Rig) -> None:
    """The first message is not held back until its batch is full."""
    topic = rig.topic()
    member = rig.member(topic)
    member.fetch_until(lambda _: len(member.assigned) == 4)
    rig.publish(topic, (b"k", b"v"))
    begin = time.monotonic()
    assert len(member.subscriber.fetch(500, 10)) == 1
    assert time.monotonic() - begin < 2


def test_two_subscribers_share_and_one_takes_over(rig: Rig) -> None:
    """Each partition has one owner, and closing hands over at once without loss."""
    topic = rig.topic()
    one, two = rig.member(topic), rig.member(topic)

    def shared() -> bool:
        one.subscriber.fetch(10, 0.05)
        two.subscriber.fetch(10, 0.05)
        return len(one.subscriber.assignment()) == len(two.subscriber.assignment()) == 2

    _wait(shared)
    assert not one.subscriber.assignment() & two.subscriber.assignment()
    held = one.subscriber.assignment()
    one.subscriber.close()
    assert held <= set(one.revoked)
    rig.publish(topic, *[(b"key-%d" % n, b"%d" % n) for n in range(20)])
    begin = time.monotonic()
    fetched = two.fetch_count(20)
    assert {message.value for message in fetched} == {b"%d" % n for n in range(20)}
    assert len(two.subscriber.assignment()) == 4
    assert time.monotonic() - begin < 5


def _wait(condition: object, seconds: float = 15) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"


def test_groups_do_not_share(rig: Rig) -> None:
    """Each group gets every message."""
    topic = rig.topic()
    rig.publish(topic, (b"k", b"v"))
    for group in ("one", "two"):
        assert len(rig.member(topic, f"{topic}.{group}").fetch_count(1)) == 1


def test_an_offset_that_is_not_there_is_an_error_to_decide_on(rig: Rig) -> None:
    """No silent jump: the error names partition and bounds, and a seek goes on (trap 38)."""
    topic = rig.topic()
    rig.publish(topic, *[(b"k", b"%d" % n) for n in range(3)])
    at = rig.member(topic, f"{topic}.probe").fetch_count(3)[0].at
    member = rig.member(topic, starts={at: 77})
    with pytest.raises(OffsetOutOfRange) as raised:
        member.fetch_count(1)
    error = raised.value
    assert (error.partition, error.offset, error.low, error.high) == (at, 77, 0, 3)
    assert topic in str(error) and "77" in str(error)
    assert member.subscriber.fetch(10, 0.15) == []
    member.subscriber.seek(at, 1)
    assert [message.value for message in member.fetch_count(2)] == [b"1", b"2"]


def test_every_partition_that_is_out_of_range_is_named(rig: Rig) -> None:
    """Two lost offsets are two errors, one for each fetch, and no third."""
    topic = rig.topic()
    lost = [Partition(topic, 1), Partition(topic, 3)]
    member = rig.member(topic, starts=dict.fromkeys(lost, 50))
    named = []
    for _ in lost:
        with pytest.raises(OffsetOutOfRange) as raised:
            member.fetch_count(1)
        named.append(raised.value.partition)
    assert sorted(named) == lost
    assert member.subscriber.fetch(10, 0.15) == []


def test_an_error_of_a_callback_comes_out_of_fetch(rig: Rig) -> None:
    """A database that fails in on_assign is not swallowed on the way through the client."""
    topic = rig.topic()
    rig.publish(topic, (b"k", b"v"))
    member = rig.member(topic)
    member.starts = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        member.fetch_count(1)
    assert member.subscriber.assignment() == frozenset()


def test_questions_about_the_cluster(rig: Rig) -> None:
    """Identity, partitions and watermarks are answered; asking about a topic does not make it."""
    topic, absent = rig.topic(), "no.such.topic"
    rig.publish(topic, (b"k", b"1"), (b"k", b"2"))
    at = rig.member(topic).fetch_count(2)[0].at
    cluster = rig.broker.cluster_id(5)
    assert cluster and cluster == rig.broker.cluster_id(5)
    assert rig.broker.watermarks(at, 5) == (0, 2)
    assert rig.broker.partitions(topic, 5) == (0, 1, 2, 3)
    assert rig.broker.partitions(absent, 5) == ()
    ids = rig.broker.topic_ids([topic, absent], 5)
    assert list(ids) == [topic] and ids[topic]
    assert rig.broker.topic_ids([rig.topic()], 5).keys().isdisjoint(ids)
    with pytest.raises(BrokerError, match=topic):
        rig.broker.watermarks(Partition(topic, 99), 5)


def test_an_outage_fails_in_time_and_nothing_goes_out_later(switched_rig: Rig) -> None:
    """What was given up is purged: after the outage only its retry is there (trap 18)."""
    topic = switched_rig.topic()
    publisher = switched_rig.publisher()
    assert publisher.publish([Message(topic, b"k", b"1")], 10)[0].acknowledged
    switched_rig.down()
    begin = time.monotonic()
    deliveries = publisher.publish([Message(topic, b"k", b"2"), Message(topic, b"k", b"3")], 0.8)
    assert time.monotonic() - begin < 1.3
    assert {delivery.verdict for delivery in deliveries} == {Verdict.UNAVAILABLE}
    switched_rig.up()
    assert publisher.publish([Message(topic, b"k", b"again")], 10)[0].acknowledged
    member = switched_rig.member(topic)
    member.fetch_count(2)
    values = [message.value for message in switched_rig.broker_log(topic)]
    assert values == [b"1", b"again"]


def test_questions_in_an_outage_say_that_nobody_answered(switched_rig: Rig) -> None:
    """The cluster has no identity then, and the others raise within their time."""
    topic = switched_rig.topic()
    switched_rig.down()
    begin = time.monotonic()
    assert switched_rig.broker.cluster_id(0.1) is None
    for question in (
        lambda: switched_rig.broker.partitions(topic, 0.1),
        lambda: switched_rig.broker.topic_ids([topic], 0.1),
        lambda: switched_rig.broker.watermarks(Partition(topic, 0), 0.1),
    ):
        with pytest.raises(BrokerUnavailable):
            question()
    assert time.monotonic() - begin < 3


def test_a_subscriber_waits_for_an_absent_broker_and_says_so_once(
    switched_rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """One line when it is missed, one when it is back, and the log is as before."""
    topic = switched_rig.topic()
    switched_rig.publish(topic, (b"k", b"before"))
    member = switched_rig.member(topic)
    at = member.fetch_count(1)[0].at
    member.starts[at] = 1  # for a session that ends meanwhile
    switched_rig.down()
    for _ in range(4):
        assert member.subscriber.fetch(10, 0.15) == []
    begin = time.monotonic()
    member.subscriber.commit({at: 1})
    assert time.monotonic() - begin < 0.5
    switched_rig.up()
    switched_rig.publish(topic, (b"k", b"after"))
    assert [message.value for message in member.fetch_count(1)] == [b"after"]
    said = [record.getMessage() for record in caplog.records if record.name == "django_outbox.brokers"]
    assert len(said) == 2, said
    assert "is not there" in said[0] and "is back" in said[1]


def test_a_subscriber_closes_in_an_outage(switched_rig: Rig) -> None:
    """Nobody waits for the goodbye of a broker that is away."""
    topic = switched_rig.topic()
    member = switched_rig.member(topic)
    member.fetch_until(lambda _: len(member.assigned) == 4)
    switched_rig.down()
    member.subscriber.fetch(10, 0.1)
    begin = time.monotonic()
    member.subscriber.close()
    assert time.monotonic() - begin < 3
