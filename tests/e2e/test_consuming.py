"""The consumer's promises, P6 and P7, and messages that nobody can read, with real processes."""

from __future__ import annotations

import html
import time
from typing import NamedTuple

import pytest

from example_project.demo import ledger
from tests.example.processes import until

from . import topic
from .stack import SECONDS, SESSION_SECONDS, Stack
from .writing import renaming

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NO_JSON = b"\xff\x00 no JSON"
HISTORY_TABLE = "shop_copy_producthistory"
BACKENDS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {}
"""
WAITS_TO_INSERT = BACKENDS.format(
    f"wait_event_type = 'Lock' AND query LIKE 'INSERT INTO \"{HISTORY_TABLE}\"%'"
)
IDLES_IN_TRANSACTION = BACKENDS.format("state = 'idle in transaction'")


def test_each_event_is_handled_once_though_consumers_are_killed(stack: Stack) -> None:
    """P6: SIGKILL among 200 events and more, once anywhere and once for sure inside a transaction;
    the history, which only ever grows, has each event once."""
    keys = [stack.create(f"Handled {number}") for number in range(10)]
    with renaming(stack, keys) as writing:
        until(lambda: len(stack.history(keys)) >= 40, SECONDS, "some events are handled")
        stack.kill("catalog consumer")
        stack.resume("catalog consumer")
        first = len(stack.history(keys))
        until(lambda: len(stack.history(keys)) > first, SECONDS, "the next consumer goes on")
        with stack.table_locked("catalog", HISTORY_TABLE):
            until(lambda: _backends(stack, WAITS_TO_INSERT), SECONDS, "a handler waits for the table")
            stack.kill("catalog consumer")
        stack.resume("catalog consumer")
        until(lambda: len(writing.took) >= 190, SECONDS, "enough was written")
    stack.await_handled(keys)
    assert len(stack.history(keys)) >= 200


def test_a_frozen_consumer_that_wakes_up_late_handles_nothing_twice(stack: Stack) -> None:
    """P6: frozen inside its transaction and beyond its session, it is replaced by another one, for
    which the server ends that transaction; awake again, its work is lost and was done by the other."""
    keys = [stack.create(f"Frozen {number}") for number in range(6)]
    stack.await_handled(keys)
    with stack.table_locked("catalog", HISTORY_TABLE):
        for key in keys:
            stack.rename(key, "Frozen over")
        until(lambda: _backends(stack, WAITS_TO_INSERT), SECONDS, "a handler waits for the table")
        [frozen] = _backends(stack, WAITS_TO_INSERT)
        stack.freeze("catalog consumer")
    until(lambda: frozen in _backends(stack, IDLES_IN_TRANSACTION), SECONDS, "its transaction stays open")
    assert len(stack.history(keys)) == 6
    stack.start("catalog consumer second")
    stack.await_handled(keys)
    assert frozen not in _backends(stack, "SELECT pid FROM pg_stat_activity")
    stack.resume("catalog consumer")
    _write_and_await(stack, keys, 4)
    assert stack.stop("catalog consumer second") == 0
    _write_and_await(stack, keys, 4)


def test_a_consumer_frozen_between_its_transactions_handles_nothing_twice(stack: Stack) -> None:
    """P6: it wakes up with messages that another one has handled meanwhile."""
    keys = [stack.create(f"Dozed {number}") for number in range(6)]
    with renaming(stack, keys) as writing:
        until(lambda: len(stack.history(keys)) >= 20, SECONDS, "some events are handled")
        stack.start("catalog consumer second")
        time.sleep(1)
        stack.freeze("catalog consumer")
        time.sleep(SESSION_SECONDS + 2)
        seen = len(stack.history(keys))
        until(lambda: len(stack.history(keys)) > seen, SECONDS, "the other one goes on")
        stack.resume("catalog consumer")
        done = len(writing.took)
        until(lambda: len(writing.took) > done + 50, SECONDS, "more is written")
    stack.await_handled(keys)


def test_a_deleted_product_never_comes_back(stack: Stack) -> None:
    """P7: its events repeated after its deletion change nothing; the history stays in order."""
    keys = [stack.create(f"Deleted {number}") for number in range(5)]
    for key in keys:
        stack.rename(key, "Deleted soon")
        stack.delete(key)
    gone, alive = keys[:4], stack.create("Alive")
    stack.rename(alive, "Alive and well")
    stack.await_published([*keys, alive])
    stack.await_handled([*keys, alive])
    old = topic.of_key(stack.kafka.url(), [*gone, alive])
    topic.repeat(stack.kafka.url(), old)
    topic.repeat(stack.kafka.url(), reversed(old))
    _write_and_await(stack, [alive], 2)
    until(lambda: _lag(stack) == 0, SECONDS, "the repeats are read")
    assert [stack.copied_name(key) for key in keys] == [None] * 5
    assert len(stack.published(gone)) == 3 * 12
    assert ledger.handled_faults(stack.history(keys), stack.recorded(keys)) == []
    assert stack.copied_name(alive) == "Written 1"


def test_bytes_that_are_no_json_wait_for_an_operator_and_stop_nobody_else(stack: Stack) -> None:
    """P8, P10: they are kept as they came, visible with the reason; later events of that key wait
    behind them, in order, and all other keys go on. Retry tries them again, skip lets the key go on."""
    broken, other = stack.create("Broken"), stack.create("Other")
    stack.await_handled([broken, other])
    topic.produce(stack.kafka.url(), broken, NO_JSON)
    until(lambda: _parked(stack, broken), SECONDS, "the bytes are parked")
    stack.rename(broken, "Behind 1")
    stack.rename(broken, "Behind 2")
    until(lambda: len(_parked(stack, broken)) == 3, SECONDS, "later events of the key wait")
    _write_and_await(stack, [other], 2)
    assert len(stack.history([broken])) == 1
    first, second, third = _parked(stack, broken)
    assert (first.state, first.value) == ("failed", NO_JSON)
    assert (second.state, third.state) == ("waiting", "waiting")

    login = stack.catalog.form("/catalog/admin/login/?next=/catalog/admin/", holding="password")
    stack.catalog.expect(stack.catalog.submit(login, username="admin", password="pass"), 200)
    retried = _press(stack, "parkedmessage", broken, "retry", first.id)
    assert first.reason[:40] in retried
    assert "1 key is due" in retried
    until(lambda: "failed again" in stack.said("catalog consumer"), SECONDS, "the bytes are tried again")
    assert [row.state for row in _parked(stack, broken)] == ["failed", "waiting", "waiting"]
    assert "Events skipped, with a record: 1." in _press(stack, "consumerkey", broken, "skip", first.key_id)
    stack.await_handled([broken])
    until(lambda: stack.copied_name(broken) == "Behind 2", SECONDS, "the copy is up to date")


def _press(stack: Stack, table: str, key: str, action: str, row: object) -> str:
    """Find a row by its key in the catalog's admin and press a button; gives the page as it is then."""
    page, site = f"/catalog/admin/django_outbox/{table}/?q={key}", stack.catalog
    form = site.form(page, holding="action")
    answer = site.expect(site.submit(form, action=action, _selected_action=str(row), index="0"), 200)
    return html.unescape(answer.text)


def _write_and_await(stack: Stack, keys: list[str], times: int) -> None:
    for number in range(times):
        stack.rename(keys[number % len(keys)], f"Written {number}")
    stack.await_handled(keys)


def _backends(stack: Stack, sql: str) -> list[int]:
    return [pid for (pid,) in ledger.query(stack.databases.url("catalog"), sql)]


def _lag(stack: Stack) -> int:
    """How many messages of the products' topic the catalog has not read."""
    sql = "SELECT sum(next_offset) FROM django_outbox_position WHERE topic = 'shop.product'"
    [(read,)] = ledger.query(stack.databases.url("catalog"), sql)
    return len(ledger.read_messages(stack.kafka.url(), [topic.PRODUCTS])) - int(read)


class Parked(NamedTuple):
    id: int
    key_id: str
    state: str
    value: bytes
    reason: str


def _parked(stack: Stack, key: str) -> list[Parked]:
    """What waits or failed of a product, the first to be handled first."""
    sql = (
        "SELECT m.id, k.id, m.state, m.message_value, m.error FROM django_outbox_parkedmessage m"
        f" JOIN django_outbox_consumerkey k ON k.id = m.key_row_id WHERE k.key = '{key}' AND k.parked"
        " AND m.state IN ('failed', 'waiting') ORDER BY m.sequence NULLS FIRST"
    )
    rows = ledger.query(stack.databases.url("catalog"), sql)
    return [Parked(row, key, state, bytes(value), error.strip()) for row, key, state, value, error in rows]
