"""Celery as the only relay: the periodic retry, and the hint after a commit."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from .processes import MANAGE, Service, free_ports, until

pytest.importorskip("django_celery_beat", reason="the example needs it: pip install --group example")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CREATE = """
from example_project.monolith.products.rules import create_product
create_product(name="Kite", product_category="Toys")
"""
CELERY = (
    "-m",
    "celery",
    "-A",
    "example_project.monolith",
    "worker",
    "--beat",
    "--pool",
    "solo",
    "-l",
    "INFO",
)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _unsent(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "monolith.sqlite3", timeout=20)) as database:
        found = database.execute("SELECT count(*) FROM django_outbox_outboxevent WHERE NOT sent").fetchone()
    return int(found[0])


def _on_topic(port: int, topic: str) -> int:
    """How many messages the topic holds, by a plain client."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "count"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        marks = [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions
        ]
        return sum(high - low for low, high in marks)
    finally:
        consumer.close()


@contextmanager
def _shop(folder: Path, **environment: str) -> Iterator[tuple[Service, int]]:
    """The monolith with its sample recorded and a development broker, and nothing that publishes."""
    port, control = free_ports(2)
    bootstrap = f"127.0.0.1:{port}"
    with Service("monolith", folder, KAFKA_BOOTSTRAP_SERVERS=bootstrap, **environment) as shop:
        shop.start(
            "broker", MANAGE, "outbox_broker", "serve", "--port", str(port), "--control-port", str(control)
        )
        until(lambda: _answers(port), 30, "the development broker answers")
        shop.manage("example_setup")
        assert _unsent(folder) == 208
        yield shop, port


def test_periodic_retry_publishes_without_any_hint(tmp_path: Path) -> None:
    """P2: with the hint after commit taken away, the sweep publishes old and new (trap 9)."""
    with _shop(tmp_path, OUTBOX_WAKE_UP="0", OUTBOX_SWEEP_SECONDS="1") as (shop, port):
        assert list((tmp_path / "celery" / "shop" / "queue").iterdir()) == [], "a hint was sent"
        shop.start("celery", *CELERY)
        until(lambda: _unsent(tmp_path) == 0, 60, "the sample is published")
        assert _on_topic(port, "shop.product") == 200
        shop.manage("shell", "--verbosity", "0", "--command", CREATE)
        until(lambda: _on_topic(port, "shop.product") == 201, 20, "the new product is published")


def test_hint_after_commit_publishes_at_once(tmp_path: Path) -> None:
    """With the sweep too far away to help, a commit wakes the worker and its event is published."""
    with _shop(tmp_path, OUTBOX_SWEEP_SECONDS="600") as (shop, port):
        shop.start("celery", *CELERY)
        until(lambda: "ready." in shop.said("celery"), 30, "the worker is up")
        shop.manage("shell", "--verbosity", "0", "--command", CREATE)
        until(lambda: _unsent(tmp_path) == 0, 20, "everything is published")
        assert _on_topic(port, "shop.product") == 201
