"""The hint after commit: one for each transaction, and never the writer's trouble."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from celery import Celery
from django.db import connection, transaction

from django_outbox import record_event
from django_outbox.producer import wakeup
from tests.producer.conftest import unsent

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


@pytest.fixture
def hints(monkeypatch) -> list[str]:
    """The hints that were sent."""
    sent: list[str] = []
    monkeypatch.setattr(wakeup, "hint", lambda: sent.append("hint"))
    return sent


@pytest.fixture
def celery() -> Iterator[Callable[..., Celery]]:
    """An app of the test's own, which is the current one meanwhile."""
    from celery import _state

    before = _state._tls.current_app
    wakeup._paused_until[0], wakeup._local.connection = 0.0, None

    def make(**conf: object) -> Celery:
        app = Celery("test", set_as_current=True)
        app.conf.update(conf)
        app.set_current()
        from django_outbox import tasks

        assert tasks.publish_unsent.name in app.tasks
        return app

    yield make
    _state._tls.current_app = before
    wakeup._paused_until[0], wakeup._local.connection = 0.0, None


def record(word: str = "seen") -> None:
    record_event(f"shop.product.{word}", key="k", payload={})


def test_one_hint_for_a_transaction(hints: list[str]) -> None:
    """However many events it records."""
    with transaction.atomic():
        record()
        record()
        assert hints == []
    assert hints == ["hint"]


def test_no_hint_without_a_commit(hints: list[str]) -> None:
    """A transaction that rolls back wakes nobody."""
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record()
        raise ZeroDivisionError
    assert hints == []


def test_a_hint_that_a_savepoint_took_along_is_registered_again(hints: list[str]) -> None:
    """Trap 64: Django drops a hook with its savepoint; later events of the transaction wake all the same."""
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            record()
            raise ZeroDivisionError
        record()
    assert hints == ["hint"]


@pytest.mark.parametrize("off", [{"WAKE_UP": False}, {"RELAY": "external"}])
def test_hints_can_be_switched_off(hints: list[str], settings, off) -> None:
    """By ``WAKE_UP``, and where somebody else drains the table."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, **off}
    with transaction.atomic():
        record()
    assert hints == []


def test_eager_celery_publishes_at_the_commit(celery, broker) -> None:
    """Tests with ``task_always_eager`` see the message when the block ends."""
    celery(task_always_eager=True)
    with transaction.atomic():
        record()
    assert len(broker.messages("shop.product")) == 1
    assert unsent() == 0


def test_without_a_celery_broker_there_is_no_hint(celery, caplog) -> None:
    """Celery's own default is a guess: nobody is asked, nothing is logged."""
    celery(broker_url=None)
    with transaction.atomic():
        record()
    assert caplog.records == []
    assert unsent() == 1


@pytest.fixture
def frozen_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


@pytest.fixture
def refused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("kind", ["refused_port", "frozen_port"])
def test_an_absent_celery_broker_costs_the_writer_a_second_once(
    celery, caplog, request, kind: str, scheme: str
) -> None:
    """Traps 8 and 65: the commit stands, later hooks run, and the next commits do not wait at all."""
    celery(broker_url=f"{scheme}://127.0.0.1:{request.getfixturevalue(kind)}//")
    later: list[str] = []
    began = time.monotonic()
    with transaction.atomic():
        record()
        transaction.on_commit(lambda: later.append("ran"))
    first = time.monotonic() - began
    began = time.monotonic()
    for _ in range(5):
        with transaction.atomic():
            record()
    assert first < 1.0
    assert time.monotonic() - began < 0.5
    assert (unsent(), later) == (6, ["ran"])
    assert [r.message for r in caplog.records if "did not take a hint" in r.message] != []


def test_the_process_may_die_between_commit_and_hint(broker, publish) -> None:
    """P2, trap 9: the sweep finds what no hint told of."""
    with transaction.atomic():
        record()
        connection.run_on_commit.clear()
    assert unsent() == 1
    from django_outbox.tasks import publish_unsent

    publish_unsent()
    assert len(broker.messages("shop.product")) == 1
