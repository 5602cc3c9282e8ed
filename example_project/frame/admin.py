"""Admin for rows that nobody may edit by hand: copies and histories."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):
    """Lists and shows, changes nothing."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class HistoryAdmin(ReadOnlyAdmin):
    """What arrived, newest first, with the time that each event took."""

    list_display = ("received_at", "text", "took", "sequence", "type", "key")
    list_filter = ("type",)
    search_fields = ("key", "event_id", "text")
    ordering = ("-id",)

    @admin.display(description="took")
    def took(self, line: Any) -> str:
        if line.recorded_at is None:
            return "unknown"
        seconds = (line.received_at - line.recorded_at).total_seconds()
        return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.0f} s"
