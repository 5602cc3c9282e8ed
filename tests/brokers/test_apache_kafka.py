"""What only Apache Kafka itself can show."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from django_outbox.brokers.base import Message, Partition, Verdict
from django_outbox.brokers.kafka import KafkaBroker
from scripts.services import Kafka

from ..deploy.tools import require_service
from ..services import require
from .conftest import QUICK, KafkaRig

pytestmark = pytest.mark.service


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """An Apache Kafka that a test may stop."""
    require("kafka")
    kafka = Kafka(tmp_path / "kafka")
    require_service(kafka)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


@pytest.mark.slow
def test_an_outage_of_apache_kafka_is_no_message_s_fault(
    own_kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    """Within the deadline nobody is blamed; afterwards each message is there once (traps 18, 21)."""
    with closing(KafkaRig(own_kafka.url())) as rig:
        topic = rig.topic(1)
        publisher, member = rig.publisher(), rig.member(topic)
        assert publisher.publish([Message(topic, b"k", b"1")], 10)[0].acknowledged
        assert [message.value for message in member.fetch_count(1)] == [b"1"]
        own_kafka.stop()
        batch = [Message(topic, b"k", b"2"), Message(topic, b"other", b"3")]
        begin = time.monotonic()
        assert {delivery.verdict for delivery in publisher.publish(batch, 0.8)} == {Verdict.UNAVAILABLE}
        assert time.monotonic() - begin < 1.3
        assert member.subscriber.fetch(10, 0.2) == []
        own_kafka.start()
        assert all(delivery.acknowledged for delivery in publisher.publish(batch, 10))
        assert [message.value for message in member.fetch_count(2)] == [b"2", b"3"]
        assert member.subscriber.fetch(10, 0.2) == []
    missed, back = [words for words in caplog.messages if words.startswith("Kafka at")]
    assert "is not there" in missed and "is back" in back


def test_a_message_that_is_too_large_for_its_topic_is_known_when_it_is_tried_alone() -> None:
    """The broker refuses the whole record batch; alone, only the large one is refused (trap 62)."""
    rig = KafkaRig(require("kafka"))
    topic = rig.topic_named(f"narrow.{uuid.uuid4().hex[:8]}", 1, max_message_bytes="2000")
    # Lingering puts all three into one record batch.
    publisher = KafkaBroker({"bootstrap.servers": rig.address, **QUICK, "linger.ms": 50}).publisher()
    batch = [Message(topic, key, value) for key, value in ((b"a", b"1"), (b"b", b"x" * 5000), (b"c", b"3"))]
    together = publisher.publish(batch, 10)
    assert {delivery.verdict for delivery in together} == {Verdict.PERMANENT}
    assert all(delivery.error for delivery in together)
    alone = [publisher.publish([message], 10)[0].verdict for message in batch]
    publisher.close()
    assert alone == [Verdict.ACKNOWLEDGED, Verdict.PERMANENT, Verdict.ACKNOWLEDGED]
    assert rig.broker.watermarks(Partition(topic, 0), 5) == (0, 2)
