"""The owner's promises, P1 to P4, with real processes, kills included."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from statistics import median

import pytest

from example_project.demo.ledger import query
from tests.example.processes import until

from .stack import SECONDS, TOKEN_SECONDS, Stack
from .writing import renaming

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RULES = "from example_project.monolith.products.rules import create_product, change_product\n"
ROLLED_BACK = f"""
{RULES}
from django.db import transaction
with transaction.atomic():
    print(create_product(name="Rolled back", product_category="Tests").product_uuid, flush=True)
    {{death}}
"""
SAVEPOINT = f"""
{RULES}
from django.db import transaction
with transaction.atomic():
    kept = create_product(name="Kept", product_category="Tests")
    try:
        with transaction.atomic():
            change_product(kept, name="Never")
            gone = create_product(name="Gone", product_category="Tests")
            raise LookupError
    except LookupError:
        change_product(kept, name="Kept and renamed")
print(kept.product_uuid, gone.product_uuid)
"""


@pytest.mark.parametrize("death", ["raise LookupError", "import os; os.kill(os.getpid(), 9)"])
def test_a_transaction_that_rolls_back_publishes_nothing(stack: Stack, death: str) -> None:
    """P1: neither by an error nor by the death of the process that recorded."""
    ran = stack.run("monolith", ROLLED_BACK.format(death=death))
    assert ran.returncode != 0
    [gone] = ran.stdout.split()
    later = stack.create("Later")
    stack.await_published([later])
    assert stack.recorded([gone]) == []
    assert stack.published([gone]) == []


def test_a_savepoint_that_rolls_back_publishes_nothing(stack: Stack) -> None:
    """P1: what surrounds the savepoint is published, without a hole."""
    ran = stack.run("monolith", SAVEPOINT)
    assert ran.returncode == 0, ran.stderr
    kept, gone = ran.stdout.split()
    stack.await_published([kept])
    assert {entry.sequence for entry in stack.published([kept])} == {1, 2}
    assert stack.published([gone]) == []
    until(lambda: stack.copied_name(kept) == "Kept and renamed", SECONDS, "the last name arrives")


def test_events_survive_a_relay_killed_among_them(stack: Stack) -> None:
    """P2: SIGKILL in the middle of 200 events; the next relay publishes what the dead one left."""
    keys = [stack.create(f"Killed {number}") for number in range(10)]
    with renaming(stack, keys) as writing:
        until(lambda: len(stack.sent(keys)) >= 60, SECONDS, "some events are sent")
        stack.kill("monolith relay")
        killed_at = len(writing.took)
        until(lambda: len(writing.took) >= max(190, killed_at + 50), SECONDS, "users go on without a relay")
        assert not stack.all_sent(keys)
        stack.resume("monolith relay")
    stack.await_published(keys)
    stack.await_handled(keys)
    assert len(stack.history(keys)) >= 200


def test_a_stopped_broker_neither_fails_nor_slows_a_request(stack: Stack) -> None:
    """P2: 50 writes while Kafka is stopped; they wait in the outbox, and arrive when it is back."""
    keys = [stack.create(f"Outage {number}") for number in range(5)]
    stack.await_published(keys)
    with renaming(stack, keys, times=50) as usual:
        pass
    stack.await_published(keys)
    stack.kafka.stop()
    with renaming(stack, keys, times=50) as outage:
        pass
    waiting = len(stack.recorded(keys, "NOT sent"))
    stack.kafka.start()
    assert len(outage.took) == waiting == 50
    assert median(outage.took) < 3 * median(usual.took) + 0.2
    assert max(outage.took) < 5
    stack.await_published(keys)
    stack.await_handled(keys)


def test_the_periodic_retry_alone_publishes_everything(stack: Stack) -> None:
    """P2: no relay, and Celery's broker frozen and then dead while users write: no request fails or
    hangs, no hint gets through; once Celery is back, its sweep publishes."""
    keys = [stack.create(f"Swept {number}") for number in range(5)]
    stack.start("monolith celery")
    until(lambda: " ready." in stack.said("monolith celery"), SECONDS, "the worker is ready")
    assert stack.stop("monolith relay") == 0
    stack.redis.send_signal(signal.SIGSTOP)
    with renaming(stack, keys, times=40) as writing:
        pass
    assert max(writing.took) < 5
    assert median(writing.took) < 1
    stack.redis.kill()
    stack.rename(keys[0], "Written with Celery's broker dead")
    assert not stack.all_sent(keys)
    stack.redis.start()
    stack.await_published(keys)
    stack.await_handled(keys)


def test_sent_is_true_only_for_what_is_in_the_topic(stack: Stack) -> None:
    """P3: relay and broker are killed and frozen at random moments; whatever is marked sent is there."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = [stack.create(f"Marked {number}") for number in range(8)]
    with renaming(stack, keys):
        for blow in _BLOWS:
            before = len(stack.sent(keys))
            until(lambda seen=before: len(stack.sent(keys)) > seen, SECONDS, "the relay works")
            time.sleep(chance.uniform(0, 0.5))
            blow(stack, chance)
            marked = stack.sent(keys)
            assert set(marked) - set(stack.published(keys)) == set()
    stack.await_published(keys)


def _kill_the_broker(stack: Stack, chance: random.Random) -> None:
    stack.kafka.kill()
    time.sleep(chance.uniform(0, 0.5))
    stack.kafka.start()


def _freeze_the_relay_and_kill_the_broker(stack: Stack, chance: random.Random) -> None:
    stack.freeze("monolith relay")
    stack.kafka.kill()
    stack.kafka.start()
    time.sleep(chance.uniform(0, 1))
    stack.resume("monolith relay")


def _freeze_the_broker_and_kill_the_relay(stack: Stack, chance: random.Random) -> None:
    stack.kafka.send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(0, 0.5))
    stack.kill("monolith relay")
    stack.kafka.send_signal(signal.SIGCONT)
    stack.resume("monolith relay")


_BLOWS: list[Callable[[Stack, random.Random], None]] = [
    _kill_the_broker,
    _freeze_the_relay_and_kill_the_broker,
    _freeze_the_broker_and_kill_the_relay,
]


def test_keys_stay_in_order_whoever_publishes_and_dies(stack: Stack) -> None:
    """P4: two relays, a Celery worker and its sweeps; one relay is killed, the other is frozen for
    longer than its token and goes on. First occurrences come in order, without a hole."""
    stack.start("monolith celery")
    stack.start("monolith relay second")
    keys = [stack.create(f"Ordered {number}") for number in range(8)]
    with renaming(stack, keys, pause_seconds=0.03) as writing:
        until(lambda: len(_standing_relays(stack)) == 2, SECONDS, "both relays carry lanes")
        until(lambda: len(stack.sent(keys)) >= 50, SECONDS, "some events are sent")
        frozen = set(_standing_relays(stack))
        stack.freeze("monolith relay second")
        stack.kill("monolith relay")
        stack.resume("monolith relay")
        time.sleep(TOKEN_SECONDS)
        until(lambda: frozen.isdisjoint(_standing_relays(stack)), SECONDS, "both tokens are over")
        seen = len(stack.sent(keys))
        until(lambda: len(stack.sent(keys)) > seen, SECONDS, "others publish")
        stack.resume("monolith relay second")
        until(lambda: len(_standing_relays(stack)) == 2, SECONDS, "both relays carry lanes again")
        until(lambda: len(writing.took) >= 300, SECONDS, "enough was written")
    stack.await_published(keys)
    stack.await_handled(keys)


def _standing_relays(stack: Stack) -> list[str]:
    """The tokens of the ``publish_events`` that live and hold lanes."""
    sql = (
        "SELECT DISTINCT r.token FROM django_outbox_relay r JOIN django_outbox_lane l ON l.holder = r.token"
        " WHERE r.standing AND r.alive_until > now()"
    )
    return [str(token) for (token,) in query(stack.databases.url("monolith"), sql)]
