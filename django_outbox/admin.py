"""The admin of the tables: everything is read, nothing is written, but two keys can be pressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .consumer import parking
from .models import (
    BackfillRun,
    ConsumerKey,
    HeldKey,
    Lane,
    OutboxEvent,
    OutboxKey,
    OutboxTopic,
    ParkedMessage,
    Position,
    Relay,
    WaitingChild,
)
from .producer import held

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin  # subscripted for type checkers alone


class ReadOnlyAdmin(_Admin):
    """Shows rows. Who may view them decides who may run the actions, which ask for ``change``."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        return request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}")


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", "sequence", "sent", "key", "recorded_at", "sent_at")
    list_filter = ("sent", "topic", "operation")
    search_fields = ("=key", "=event_id")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(HeldKey)
class HeldKeyAdmin(ReadOnlyAdmin):
    list_display = ("topic", "key", "dead", "attempts", "next_try_at", "error")
    list_filter = ("dead", "topic")
    search_fields = ("=key",)
    actions = ("retry",)

    @admin.action(description=_("Retry now"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[HeldKey]) -> None:
        count = held.retry(queryset)
        text = ngettext(
            "%d key is due; the relay tries it now.", "%d keys are due; the relay tries them now.", count
        )
        self.message_user(request, text % count, messages.SUCCESS)


@admin.register(ParkedMessage)
class ParkedMessageAdmin(ReadOnlyAdmin):
    list_display = ("type", "key_text", "sequence", "state", "attempts", "next_try_at", "first_line", "group")
    list_filter = ("state", "group", "topic")
    search_fields = ("=key_row__key", "=event_id")
    list_select_related = ("key_row",)
    readonly_fields = ("message_text",)
    exclude = ("message_key", "message_value", "message_headers")
    actions = ("retry",)

    @admin.display(description=_("key"))
    def key_text(self, row: ParkedMessage) -> str:
        return row.key_row.key if row.key_row else ""

    @admin.display(description=_("error"))
    def first_line(self, row: ParkedMessage) -> str:
        return row.error.strip().rpartition("\n")[2][:200]

    @admin.display(description=_("message"))
    def message_text(self, row: ParkedMessage) -> str:
        return (
            "" if row.message_value is None else bytes(row.message_value).decode("utf-8", "backslashreplace")
        )

    @admin.action(description=_("Retry the keys of these messages now"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[ParkedMessage]) -> None:
        keys = ConsumerKey.objects.using(queryset.db).filter(messages__in=queryset).distinct()
        count = parking.retry(keys)
        text = ngettext(
            "%d key is due; its consumer tries it now.",
            "%d keys are due; their consumers try them now.",
            count,
        )
        self.message_user(request, text % count, messages.SUCCESS)


@admin.register(ConsumerKey)
class ConsumerKeyAdmin(ReadOnlyAdmin):
    list_display = ("topic", "key", "group", "sequence", "epoch", "parked")
    list_filter = ("parked", "group", "topic")
    search_fields = ("=key",)
    actions = ("retry", "skip", "give_up")

    @admin.action(description=_("Retry parked keys now"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[ConsumerKey]) -> None:
        count = parking.retry(queryset.filter(parked=True))
        text = ngettext(
            "%d key is due; its consumer tries it now.",
            "%d keys are due; their consumers try them now.",
            count,
        )
        self.message_user(request, text % count, messages.SUCCESS)

    @admin.action(description=_("Skip the first waiting event of parked keys"), permissions=["retry"])
    def skip(self, request: HttpRequest, queryset: QuerySet[ConsumerKey]) -> None:
        self._decide(request, queryset, parking.skip, _("Events skipped, with a record: %d."))

    @admin.action(description=_("Give up the missing numbers of parked keys"), permissions=["retry"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[ConsumerKey]) -> None:
        self._decide(request, queryset, parking.give_up, _("Keys whose wait is over: %d."))

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[ConsumerKey],
        decision: Callable[[list[ConsumerKey]], list[str]],
        text: StrPromise,
    ) -> None:
        """Decide on the parked keys, and say of each that was left alone why."""
        keys = list(queryset.filter(parked=True))
        left_alone = decision(keys)
        self.message_user(request, text % (len(keys) - len(left_alone)), messages.SUCCESS)
        for reason in left_alone:
            self.message_user(request, reason, messages.WARNING)


_PLAIN: tuple[tuple[type[Model], tuple[str, ...]], ...] = (
    (OutboxKey, ("topic", "key", "last_sequence", "epoch")),
    (OutboxTopic, ("name", "owner", "epoch")),
    (Relay, ("name", "standing", "alive_until", "token")),
    (Lane, ("number", "holder")),
    (BackfillRun, ("model", "state", "rows", "started_at", "finished_at")),
    (Position, ("group", "topic", "partition", "next_offset", "updated_at")),
    (WaitingChild, ("replica", "key_row", "sequence", "since")),
)


def _register_plain() -> None:
    for model, columns in _PLAIN:
        attributes: dict[str, Any] = {"list_display": columns}
        admin.site.register(model, type(f"{model.__name__}Admin", (ReadOnlyAdmin,), attributes))


_register_plain()
