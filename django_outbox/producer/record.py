"""Recording: events become rows of the outbox, in the transaction of the change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models, router, transaction
from django.utils import timezone

from .. import contracts, wire
from ..conf import get_settings
from ..events import RESERVED_WORDS, identity, lane_of
from ..exceptions import NotAtomic, PayloadInvalid, RecordError
from ..signals import event_recorded
from . import wakeup
from .models import OutboxEvent
from .payloads import key_of, plain
from .publications import Publication, is_topic, publication_of, publications
from .sequences import Demand, draw
from .topics import epoch_of
from .tracing import trace_headers

__all__ = ["Draft", "record", "record_event", "require_atomic"]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An event before it has its number. ``payload`` holds plain JSON types."""

    topic: str
    key: str
    type: str
    operation: str
    payload: Any
    version: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


def record_event(
    type: str,
    *,
    payload: Any,
    instance: models.Model | None = None,
    topic: str | None = None,
    key: Any = None,
    headers: Mapping[str, str] | None = None,
    using: str | None = None,
) -> None:
    """Record a fact that is no change of a row, in the caller's transaction.

    ``type`` is the topic, a dot and one word of your own. With ``instance``, a row of a published
    model, topic and key are the row's, and the row is locked first. Without, give ``key``, and
    record after your writes: the order of locks is row, then key, everywhere.

    Raises ``NotAtomic`` outside ``transaction.atomic()``, ``PayloadInvalid`` for a payload that
    does not fit its schema, is no JSON or too large, ``RecordError`` for a wrong type or key.
    """
    if instance is not None:
        draft, using = _draft_of_row(type, payload, instance, headers, using)
    else:
        draft = _draft_of_key(type, payload, topic, key, headers)
        using = using or _alias_of_topic(draft.topic)
    record([draft], using)


def _draft_of_row(
    type: str, payload: Any, instance: models.Model, headers: Mapping[str, str] | None, using: str | None
) -> tuple[Draft, str]:
    publication = publication_of(instance.__class__)
    if publication is None:
        raise RecordError(
            f"{instance._meta.label} is not published; derive it from OutboxMixin with a class Outbox, "
            "or give topic= and key= instead of instance=."
        )
    using = using or instance._state.db or router.db_for_write(publication.model, instance=instance)
    require_atomic(using)
    manager = publication.model._base_manager.using(using)
    row = manager.select_for_update().values(*publication.attnames).filter(pk=instance.pk).first()
    if row is None:
        raise RecordError(f"{publication.label} has no row {instance.pk!r}; save it before you record of it.")
    _check_type(type, publication.topic)
    draft = Draft(
        topic=publication.topic,
        key=key_of(publication, row, using),
        type=type,
        operation="fact",
        payload=plain(payload),
        version=publication.version,
        headers=_checked_headers(headers),
    )
    return draft, using


def _draft_of_key(
    type: str, payload: Any, topic: str | None, key: Any, headers: Mapping[str, str] | None
) -> Draft:
    topic = topic or type.rpartition(".")[0]
    _check_type(type, topic)
    text = "" if key is None else str(plain(key))
    if not text or "\0" in text:
        raise RecordError(
            f"record_event({type!r}) needs key=, the key of what the event is about; it got {key!r}."
        )
    headers = _checked_headers(headers)
    return Draft(topic=topic, key=text, type=type, operation="fact", payload=plain(payload), headers=headers)


def _check_type(type: str, topic: str) -> None:
    prefix, _, word = type.rpartition(".")
    if (
        not is_topic(topic)
        or prefix != topic
        or not word
        or not word.replace("_", "").replace("-", "").isalnum()
    ):
        raise RecordError(
            f"An event type is its topic, a dot and one word, such as {topic or 'shop.product'}.recalled; "
            f"not {type!r}."
        )
    if word in RESERVED_WORDS:
        raise RecordError(
            f"{type!r}: {word!r} is kept for changes of rows, which are recorded by themselves."
        )
    if any(publication.topic == topic and publication.compacted for publication in publications()):
        raise RecordError(
            f"The topic {topic} is compacted and carries whole rows only; record facts on another."
        )


def _checked_headers(headers: Mapping[str, Any] | None) -> dict[str, str]:
    checked = dict(headers or {})
    for name, value in checked.items():
        if (
            not isinstance(value, str)
            or "\0" in name + value
            or name.lower().startswith("ce_")
            or name.lower() == "content-type"
        ):
            raise RecordError(
                f"headers= may carry text under names of your own, such as 'traceparent'; "
                f"not {name!r}: {value!r}."
            )
    return checked


def _alias_of_topic(topic: str) -> str:
    """The database of the model that declares the topic: a topic has one."""
    for publication in publications():
        if publication.topic == topic:
            return router.db_for_write(publication.model)
    return DEFAULT_DB_ALIAS


def require_atomic(using: str) -> None:
    """Raises ``NotAtomic`` unless a transaction is open on ``using``."""
    if not transaction.get_connection(using).in_atomic_block:
        raise NotAtomic(
            f"An event can be recorded only in the transaction of its change: wrap both in "
            f"transaction.atomic(using={using!r})."
        )


def record(drafts: Sequence[Draft], using: str) -> None:
    """Write ``drafts`` into the outbox of ``using`` in few statements, whatever their number.

    Must run inside a transaction; order within a key is the order of ``drafts``.
    """
    if not drafts:
        return
    require_atomic(using)
    for draft in drafts:
        _check_payload(draft)
    rows = _numbered(drafts, using)
    OutboxEvent.objects.using(using).bulk_create(rows)
    if event_recorded.has_listeners(OutboxEvent):
        for row in rows:
            event_recorded.send(OutboxEvent, event=row.as_event(get_settings().service), using=using)
    wakeup.after_commit(using)


def _check_payload(draft: Draft) -> None:
    if draft.payload is None:
        raise PayloadInvalid(f"The payload of {draft.type} is None; give {{}} where there is nothing to say.")
    try:
        size = len(wire.dump(draft.payload)) + len(draft.key.encode()) + len(wire.dump(dict(draft.headers)))
    except (TypeError, ValueError) as error:
        raise PayloadInvalid(f"The payload of {draft.type} is no JSON: {error}.") from error
    limit = get_settings().max_event_bytes
    if size > limit:
        raise PayloadInvalid(
            f"The payload of {draft.type} for key {draft.key[:100]!r} has {size:,} bytes, key and headers "
            f"included; MAX_EVENT_BYTES allows {limit:,}. Publish less of the row, or raise the limit here "
            "and at the broker."
        )
    contracts.check_payload(draft.type, draft.version, draft.payload)


def _numbered(drafts: Iterable[Draft], using: str) -> list[OutboxEvent]:
    hashes = [identity(draft.topic, draft.key) for draft in drafts]
    epochs = {topic: epoch_of(topic, using) for topic in sorted({draft.topic for draft in drafts})}
    counts = Counter(hashes)
    demands = {
        key_hash: Demand(draft.topic, draft.key, epochs[draft.topic], counts[key_hash])
        for key_hash, draft in zip(hashes, drafts, strict=True)
    }
    drawn = draw(demands, using)
    upcoming = {key_hash: numbers.last - counts[key_hash] + 1 for key_hash, numbers in drawn.items()}
    recorded_at, traced, rows = timezone.now(), trace_headers(), []
    for key_hash, draft in zip(hashes, drafts, strict=True):
        sequence = upcoming[key_hash]
        upcoming[key_hash] += 1
        rows.append(
            OutboxEvent(
                topic=draft.topic,
                key=draft.key,
                key_hash=key_hash,
                lane=lane_of(key_hash),
                sequence=sequence,
                epoch=epochs[draft.topic],
                first=sequence == drawn[key_hash].epoch_began,
                type=draft.type,
                version=draft.version,
                operation=draft.operation,
                payload=draft.payload,
                headers={**traced, **draft.headers},
                recorded_at=recorded_at,
            )
        )
    return rows


def row_draft(publication: Publication, operation: str, key: str, payload: Any) -> Draft:
    """The draft of a change of a row: its type is the topic and the operation."""
    return Draft(
        topic=publication.topic,
        key=key,
        type=f"{publication.topic}.{operation}",
        operation=operation,
        payload=payload,
        version=publication.version,
    )
