"""Writes handed on to the catalog service, which owns the entries."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from django.conf import settings

__all__ = ["Answer", "OwnerAway", "hand_on"]


class OwnerAway(Exception):
    """The catalog service did not answer; nobody knows whether a write arrived."""


@dataclass(frozen=True)
class Answer:
    """What the owner said: its status, and its JSON or None where it sent no body."""

    status: int
    body: Any


def hand_on(method: str, path: str = "", body: object = None) -> Answer:
    """Send one request to the catalog's API at ``path`` and return its answer, 4xx included.

    Blocks up to ``CATALOG_SERVICE_TIMEOUT_SECONDS``; never repeats a request. Raises ``OwnerAway``
    when there is no answer, when it is none of the catalog's, or when the owner failed (5xx).
    """
    request = urllib.request.Request(
        f"{settings.CATALOG_SERVICE_URL}/catalog/api/v1{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    try:
        return _answer(request)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OwnerAway(f"{settings.CATALOG_SERVICE_URL} does not answer: {error}") from error


def _answer(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=settings.CATALOG_SERVICE_TIMEOUT_SECONDS) as response:
            return Answer(response.status, _json(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500:
                raise
            return Answer(error.code, _json(error.read()))


def _json(content: bytes) -> Any:
    return json.loads(content) if content else None
