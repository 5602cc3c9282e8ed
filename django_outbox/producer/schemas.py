"""The schemas of what this service publishes, handed down to the contracts."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import contracts
from ..events import OPERATIONS
from .payloads import derive_schema
from .publications import Publication, publications

__all__ = ["connect"]


def connect() -> None:
    """Register a schema for each type of each publication; it is derived when first needed."""
    for publication in publications():
        for operation in OPERATIONS:
            if operation not in ("fact", "skipped"):
                type_ = f"{publication.topic}.{operation}"
                contracts.register(type_, publication.version, partial(_schema, publication))


def _schema(publication: Publication) -> dict[str, Any]:
    return dict(publication.schema or {}) or derive_schema(publication)
