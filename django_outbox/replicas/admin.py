"""The admin of a copy: to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from .options import BASE_FIELDS

__all__ = ["ReplicaAdmin"]


if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin


class ReplicaAdmin(_Admin):
    """Read-only, with the copy's freshness at the end of each page."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.model._meta.concrete_fields if not field.primary_key]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        names = self.get_readonly_fields(request, obj)
        return [*(n for n in names if n not in BASE_FIELDS), *(n for n in names if n in BASE_FIELDS)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
