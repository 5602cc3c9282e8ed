"""Where a group lives, and what a group is called when nobody says."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS

from ..conf import get_settings

__all__ = ["alias_of", "default_group"]


def default_group() -> str:
    """The group of handlers that name none, and of every replica: it is called like the service."""
    return get_settings().service


def alias_of(group: str) -> str:
    """The one database alias on which ``group`` keeps its tables and its handlers' effects."""
    return DEFAULT_DB_ALIAS
