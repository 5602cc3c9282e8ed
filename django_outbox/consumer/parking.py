"""What an operator decides about parked keys. Each decision is made under the position's lock, so
that it never happens beside the delivery or a retry of the same key."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import transaction

from .. import databases
from ..brokers.base import Partition
from .groups import alias_of
from .keys import log
from .models import ConsumerKey, ParkedMessage, Position
from .order import Verdict, judge, move, wants
from .positions import position_id
from .queues import due_next, give_up_numbers, queue_of
from .received import unstored

__all__ = ["give_up", "retry", "skip"]

State = ParkedMessage.State
Decision = Callable[[ConsumerKey, ParkedMessage, str], str]


def retry(keys: Iterable[ConsumerKey]) -> int:
    """Make the parked keys due, failed ones too, with their attempts forgotten; gives their number.

    The loop that has their partition, or the next ``consume_events --once``, does the work.
    """
    keys = list(keys)
    return len(keys) - len(_decide(keys, _retry))


def skip(keys: Iterable[ConsumerKey]) -> list[str]:
    """Pass over the first waiting event of each key, with a record of it; what waits behind it is due.

    Never over a hole: what is missing there must be given up first. Gives a sentence for each key
    that was left alone, and why.
    """
    return _decide(keys, _skip)


def give_up(keys: Iterable[ConsumerKey]) -> list[str]:
    """Give up the numbers that the first waiting event of each key waits for: they are kept as missing.

    Gives a sentence for each key that was left alone, and why.
    """
    return _decide(keys, _give_up)


def _decide(keys: Iterable[ConsumerKey], decision: Decision) -> list[str]:
    left_alone = []
    for found in keys:
        using = alias_of(found.group)
        with transaction.atomic(using=using):
            partitions = ParkedMessage.objects.using(using).filter(key_row=found).order_by()
            _lock(found.group, partitions.values_list("topic", "partition").distinct(), using)
            key = ConsumerKey.objects.using(using).select_for_update().get(pk=found.pk)
            head = queue_of(key, using).first()
            reason = "nothing of it waits" if head is None else decision(key, head, using)
            if head is None:
                key.parked = False
            key.save(using=using)
        if reason:
            left_alone.append(f"{key.group} {key.topic} {key.key}: {reason}.")
        else:
            log.info("%s: %s of %s %s asked for", key.group, decision.__name__[1:], key.topic, key.key)
    return left_alone


def _lock(group: str, partitions: Iterable[tuple[str, int]], using: str) -> None:
    ids = [position_id(group, Partition(topic, number)) for topic, number in partitions]
    list(Position.objects.using(using).select_for_update().filter(pk__in=ids).order_by("pk"))


def _retry(key: ConsumerKey, head: ParkedMessage, using: str) -> str:
    queue_of(key, using).order_by().filter(state=State.FAILED).update(state=State.WAITING, attempts=0)
    ParkedMessage.objects.using(using).filter(pk=head.pk).update(attempts=0)
    due_next(key, using, databases.now(using))
    return ""


def _skip(key: ConsumerKey, head: ParkedMessage, using: str) -> str:
    item = unstored(head)
    verdict = judge(key, item)
    if verdict is Verdict.HOLE:
        return f"it waits for number {wants(key)}; give that up first"
    if verdict is Verdict.HANDLE:
        move(key, item)
    head.state, head.next_try_at = State.SKIPPED, None
    head.save(using=using, update_fields=["state", "next_try_at"])
    due_next(key, using, databases.now(using))
    return ""


def _give_up(key: ConsumerKey, head: ParkedMessage, using: str) -> str:
    item = unstored(head)
    if judge(key, item) is not Verdict.HOLE:
        return "it waits for no missing number"
    give_up_numbers(key, head, item, using)
    return _retry(key, head, using)
