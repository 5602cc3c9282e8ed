"""What only the brokers that speak Kafka's protocol can show."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from django_outbox.brokers.base import Message, Partition, Verdict
from django_outbox.brokers.development import DevelopmentBroker
from django_outbox.brokers.kafka import KafkaBroker, option_problems
from django_outbox.brokers.kafka.verdicts import verdict
from django_outbox.brokers.memory import murmur2
from django_outbox.exceptions import BrokerError

from .conftest import QUICK, DevelopmentRig, Rig


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never says a word, like a frozen broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def development_rig(development: DevelopmentBroker) -> Iterator[DevelopmentRig]:
    rig = DevelopmentRig(development)
    yield rig
    rig.close()


def test_keys_get_the_partition_of_the_java_clients(kafka_rig: Rig) -> None:
    """Our murmur2, by which the memory broker partitions, agrees with the real partitioner."""
    topic = kafka_rig.topic(7)
    keys = [b"", b"k", b"ab", b"abc", b"abcd", b"\x00\xff\x80", *(b"product-%d" % n for n in range(60))]
    kafka_rig.publish(topic, *[(key, b"v") for key in keys])
    for message in kafka_rig.member(topic).fetch_count(len(keys)):
        assert message.key is not None
        assert message.partition == (murmur2(message.key) & 0x7FFFFFFF) % 7


def test_a_publisher_made_before_a_fork_delivers_in_the_child(kafka_rig: Rig) -> None:
    """The child makes a producer of its own, exits in peace, and the parent's goes on (trap 25)."""
    topic = kafka_rig.topic()
    publisher = kafka_rig.publisher()
    assert publisher.publish([Message(topic, b"k", b"parent")], 10)[0].acknowledged
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if publisher.publish([Message(topic, b"k", b"child")], 10)[0].acknowledged else 2
            publisher.close()
            del publisher
        finally:
            os._exit(status)
    assert _exit_status(child) == 0
    assert publisher.publish([Message(topic, b"k", b"again")], 10)[0].acknowledged
    values = [message.value for message in kafka_rig.member(topic).fetch_count(3)]
    assert values == [b"parent", b"child", b"again"]


def _exit_status(child: int, seconds: float = 15) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"the child hung for {seconds} s")


def test_a_topic_that_does_not_exist_is_a_matter_of_configuration(kafka_rig: Rig) -> None:
    """No message is to blame, whether the deadline or the client's own patience ends first."""
    absent = f"absent.{uuid.uuid4().hex}"
    servers = kafka_rig.broker._options["bootstrap.servers"]
    options = {**QUICK, "allow.auto.create.topics": False, "topic.metadata.propagation.max.ms": 700}
    publisher = KafkaBroker({"bootstrap.servers": servers, **options}).publisher()
    for seconds in (0.5, 5):
        begin = time.monotonic()
        [delivery] = publisher.publish([Message(absent, b"k", b"v")], seconds)
        assert delivery.verdict is Verdict.CONFIGURATION, delivery
        assert time.monotonic() - begin < min(seconds, 2) + 0.5
    publisher.close()


def test_a_topic_that_is_made_later_is_found(kafka_rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """The subscriber names it once, waits, and gets its messages when it is there."""
    absent = f"later.{uuid.uuid4().hex[:8]}"
    servers = kafka_rig.broker._options["bootstrap.servers"]
    broker = KafkaBroker({"bootstrap.servers": servers, **QUICK, "allow.auto.create.topics": False})
    kafka_rig.broker, usual = broker, kafka_rig.broker
    member = kafka_rig.member(absent)
    for _ in range(4):
        assert member.subscriber.fetch(10, 0.2) == []
    [said] = [words for words in caplog.messages if absent in words]
    assert said.startswith(f"Topic {absent} is not there (Subscribed topic not available")
    kafka_rig.broker = usual
    kafka_rig.topic_named(absent)
    kafka_rig.publish(absent, (b"k", b"v"))
    assert member.fetch_count(1)[0].value == b"v"
    assert f"Topic {absent} is back." in caplog.messages


def test_a_frozen_broker_is_unavailable_within_the_deadline(silent_server: str) -> None:
    """A broker that takes the connection and says nothing holds nobody longer than asked."""
    publisher = KafkaBroker({"bootstrap.servers": silent_server, **QUICK}).publisher()
    begin = time.monotonic()
    [delivery] = publisher.publish([Message("topic", b"k", b"v")], 0.6)
    publisher.close()
    assert delivery.verdict is Verdict.UNAVAILABLE
    assert time.monotonic() - begin < 1.5


def test_a_full_queue_is_waited_for(development_rig: DevelopmentRig) -> None:
    """A batch larger than the client's queue is published whole and in order."""
    topic = development_rig.topic()
    servers = development_rig.development.bootstrap_servers
    broker = KafkaBroker({"bootstrap.servers": servers, **QUICK, "queue.buffering.max.messages": 10})
    publisher = broker.publisher()
    deliveries = publisher.publish([Message(topic, b"k", b"%d" % n) for n in range(200)], 10)
    publisher.close()
    assert all(delivery.acknowledged for delivery in deliveries)
    values = [message.value for message in development_rig.member(topic).fetch_count(200)]
    assert values == [b"%d" % n for n in range(200)]


def test_a_batch_that_the_broker_refuses_is_permanent_until_tried_alone(
    development_rig: DevelopmentRig,
) -> None:
    """The broker blames the whole batch; an innocent message passes when it is sent alone (trap 62)."""
    topic = development_rig.topic(1)
    publisher = development_rig.publisher()
    assert publisher.publish([Message(topic, b"warm", b"up")], 10)[0].acknowledged
    development_rig.development.refuse_produce_requests([KafkaError.INVALID_RECORD])
    batch = [Message(topic, b"%d" % n, b"v") for n in range(3)]
    assert {delivery.verdict for delivery in publisher.publish(batch, 10)} == {Verdict.PERMANENT}
    assert [publisher.publish([message], 10)[0].acknowledged for message in batch] == [True] * 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MSG_SIZE_TOO_LARGE", Verdict.PERMANENT),
        ("POLICY_VIOLATION", Verdict.PERMANENT),
        ("TOPIC_AUTHORIZATION_FAILED", Verdict.CONFIGURATION),
        ("_UNKNOWN_TOPIC", Verdict.CONFIGURATION),
        ("_SSL", Verdict.CONFIGURATION),
        ("_ALL_BROKERS_DOWN", Verdict.UNAVAILABLE),
        ("NOT_ENOUGH_REPLICAS", Verdict.TRANSIENT),
        ("OUT_OF_ORDER_SEQUENCE_NUMBER", Verdict.TRANSIENT),
    ],
)
def test_errors_are_judged_by_a_table_of_our_own(name: str, expected: Verdict) -> None:
    """librdkafka calls no delivery error retriable; the names are the client's own."""
    assert KafkaError(getattr(KafkaError, name)).name() == name
    assert verdict(name) is expected


def test_every_name_in_the_table_is_one_of_the_client() -> None:
    """A misspelt error would silently be transient."""
    from django_outbox.brokers.kafka import verdicts

    assert [name for name in verdicts._VERDICTS if not hasattr(KafkaError, name)] == []


def test_options_of_every_role_may_stand_side_by_side(caplog: pytest.LogCaptureFixture) -> None:
    """A consumer's option does not make the producer complain, nor the other way round."""
    caplog.set_level(logging.DEBUG)
    options = {"bootstrap.servers": "127.0.0.1:1", "session.timeout.ms": 6000, "linger.ms": 5, "acks": "all"}
    assert option_problems(options) == []
    publisher = KafkaBroker(options).publisher()
    publisher.publish([Message("topic", b"k", b"v")], 0.2)
    publisher.close()
    assert "session.timeout.ms" not in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs 'bootstrap.servers'"),
        ({"sesion.timeout.ms": 6000}, 'No such configuration property: "sesion.timeout.ms"; did you mean'),
        ({"socket.timeout.ms": "soon"}, 'Invalid value for configuration property "socket.timeout.ms"'),
        ({"enable.auto.commit": True}, "'enable.auto.commit'] is not yours to set: positions are kept"),
        ({"auto.offset.reset": "earliest"}, "a new group starts at the earliest message"),
        ({"partitioner": "random"}, "all events of a key need one partition"),
        ({"group.protocol": "consumer", "session.timeout.ms": 6000}, "`session.timeout.ms` is not supported"),
        ({"error_cb": 3}, "expected error_cb property as a callable"),
    ],
)
def test_wrong_options_are_named_without_a_network(options: dict[str, object], words: str) -> None:
    """A system check can say what librdkafka would refuse, in its words, and what we settle."""
    given = options and {"bootstrap.servers": "broker.invalid:9092", **options}
    problems = option_problems(given)
    assert len(problems) == 1 and words in problems[0]
    assert problems[0].startswith("DJANGO_OUTBOX['KAFKA']")


def test_an_unknown_option_stops_the_first_use() -> None:
    """Whoever runs no check hears the same words from the publisher."""
    publisher = KafkaBroker({"bootstrap.servers": "127.0.0.1:1", "nope": 1}).publisher()
    with pytest.raises(BrokerError, match='No such configuration property: "nope"'):
        publisher.publish([Message("topic", b"k", b"v")], 1)


def test_the_new_group_protocol_works(kafka_rig: Rig) -> None:
    """``group.protocol=consumer`` gets none of the options that it refuses."""
    topic = kafka_rig.topic()
    kafka_rig.publish(topic, (b"k", b"v"))
    servers = kafka_rig.broker._options["bootstrap.servers"]
    kafka_rig.broker = KafkaBroker({"bootstrap.servers": servers, **QUICK, "group.protocol": "consumer"})
    member = kafka_rig.member(topic)
    [message] = member.fetch_count(1)
    member.subscriber.commit({Partition(topic, message.partition): 1})
    member.subscriber.close()
    assert message.value == b"v"
    assert len(member.revoked) == 4


def test_committed_offsets_are_there_for_lag_tools(kafka_rig: Rig) -> None:
    """Kafka's own tools see what was committed, also by a subscriber that closed right after."""
    from confluent_kafka import Consumer, TopicPartition

    topic = kafka_rig.topic()
    kafka_rig.publish(topic, (b"k", b"1"), (b"k", b"2"))
    member = kafka_rig.member(topic)
    at = member.fetch_count(2)[0].at
    member.subscriber.commit({at: 2, Partition("elsewhere", 0): 7})
    member.subscriber.close()
    tool = Consumer({"bootstrap.servers": kafka_rig.broker._options["bootstrap.servers"], "group.id": topic})
    [committed] = tool.committed([TopicPartition(*at)], timeout=5)
    tool.close()
    assert committed.offset == 2
