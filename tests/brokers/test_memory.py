"""What the memory broker offers to unit tests beyond the contract."""

from __future__ import annotations

import os
import threading

import pytest
from django.test import override_settings

from django_outbox.brokers import get_broker
from django_outbox.brokers.base import Delivery, Message, OffsetOutOfRange, Partition, Verdict
from django_outbox.brokers.memory import MemoryBroker, murmur2

from .conftest import MemoryRig, Rig


@pytest.mark.parametrize(
    ("key", "expected"),
    # From the tests of Kafka's Java client (UtilsTest.testMurmur2).
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_the_java_client(key: bytes, expected: int) -> None:
    """The published test values come out, as signed 32-bit numbers."""
    assert murmur2(key) == expected % 2**32


def test_refusals_are_given_until_accepted_again() -> None:
    """A refused message is not in the log, its key stops, and the words are the test's own."""
    broker = MemoryBroker()
    broker.refuse(lambda message: message.key == b"bad", Verdict.CONFIGURATION, "not allowed")
    batch = [Message("t", b"bad", b"1"), Message("t", b"good", b"1"), Message("t", b"bad", b"2")]
    deliveries = broker.publisher().publish(batch, 1)
    assert deliveries[0] == Delivery(Verdict.CONFIGURATION, "not allowed")
    assert [delivery.acknowledged for delivery in deliveries] == [False, True, False]
    assert [message.key for message in broker.messages("t")] == [b"good"]
    broker.accept_all()
    assert all(delivery.acknowledged for delivery in broker.publisher().publish(batch, 1))


def test_records_can_be_deleted_as_retention_does() -> None:
    """The low watermark moves and a subscriber that stood below it is told."""
    rig = MemoryRig()
    rig.publish("t", *[(b"k", b"%d" % n) for n in range(5)])
    at = rig.broker.messages("t")[0].at
    rig.broker.delete_records(at, 3)
    assert rig.broker.watermarks(at, 1) == (3, 5)
    with pytest.raises(OffsetOutOfRange, match="holds 3 up to 5"):
        rig.member("t", "behind", starts={at: 1}).fetch_count(1)
    assert [message.value for message in rig.member("t", "new").fetch_count(2)] == [b"3", b"4"]
    rig.close()


def test_commits_of_partitions_that_are_not_held_are_dropped() -> None:
    """As on Kafka, only the owner of a partition tells its offset."""
    rig = MemoryRig()
    rig.publish("t", (b"k", b"v"))
    member = rig.member("t", "g")
    at = member.fetch_count(1)[0].at
    member.subscriber.commit({at: 1, Partition("other", 0): 9})
    assert rig.broker.committed("g") == {at: 1}
    rig.close()


def test_threads_lose_nothing() -> None:
    """Eight threads publish at once; offsets are gapless and each key stays in order."""
    broker = MemoryBroker()

    def work(name: int) -> None:
        for n in range(100):
            broker.publisher().publish([Message("t", b"%d" % name, b"%d" % n)], 1)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = broker.messages("t")
    assert len(written) == 800
    for name in range(8):
        mine = [message.value for message in written if message.key == b"%d" % name]
        assert mine == [b"%d" % n for n in range(100)]


def test_a_failed_assignment_does_not_keep_its_partitions(rig: Rig) -> None:
    """When its owner closes after an error, the next member gets them all."""
    topic = rig.topic()
    broken = rig.member(topic)
    broken.starts = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        broken.fetch_count(1)
    broken.subscriber.close()
    member = rig.member(topic)
    member.fetch_until(lambda _: len(member.subscriber.assignment()) == 4)


def test_get_broker_is_one_per_process_and_settings() -> None:
    """The same object until the settings change; a forked child has one of its own."""
    with override_settings(DJANGO_OUTBOX={"SERVICE": "shop", "BROKER": "memory"}):
        broker = get_broker()
        assert isinstance(broker, MemoryBroker) and get_broker() is broker
        child = os.fork()
        if child == 0:
            os._exit(0 if get_broker() is not broker else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    kafka = {"bootstrap.servers": "127.0.0.1:1"}
    with override_settings(DJANGO_OUTBOX={"SERVICE": "shop", "KAFKA": kafka}):
        assert type(get_broker()).__name__ == "KafkaBroker"
