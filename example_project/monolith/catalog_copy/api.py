"""The old ``/api/v1/catalog``: reads from the copy, writes handed on to the owner."""

import logging
import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from .models import CatalogEntry
from .owner import OwnerAway, hand_on

__all__ = ["CatalogDetail", "CatalogList"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 5


class EntrySerializer(serializers.ModelSerializer):
    product = serializers.UUIDField(source="product_id")
    market = serializers.CharField(source="market_id")

    class Meta:
        model = CatalogEntry
        fields = ("entry_uuid", "product", "market", "availability_date", "availability_end_date")


class CatalogList(generics.ListAPIView):
    """GET lists the copy, ``?product=<uuid>`` and ``?market=DE`` narrow it; POST goes to the owner."""

    serializer_class = EntrySerializer

    def get_queryset(self) -> QuerySet[CatalogEntry]:
        entries = CatalogEntry.objects.all()
        product, market = (self.request.query_params.get(name) for name in ("product", "market"))
        if product:
            entries = entries.filter(product_id=_uuid(product))
        return entries.filter(market_id=market) if market else entries

    def post(self, request: Request) -> Response:
        return _owner_answers("POST", body=request.data)


class CatalogDetail(generics.RetrieveAPIView):
    """GET shows the copy; PUT, PATCH and DELETE go to the owner."""

    queryset = CatalogEntry.objects.all()
    serializer_class = EntrySerializer
    lookup_field = "entry_uuid"

    def put(self, request: Request, entry_uuid: uuid.UUID) -> Response:
        return _owner_answers("PUT", f"/{entry_uuid}", request.data)

    def patch(self, request: Request, entry_uuid: uuid.UUID) -> Response:
        return _owner_answers("PATCH", f"/{entry_uuid}", request.data)

    def delete(self, request: Request, entry_uuid: uuid.UUID) -> Response:
        return _owner_answers("DELETE", f"/{entry_uuid}")


def _owner_answers(method: str, path: str = "", body: Any = None) -> Response:
    if isinstance(body, QueryDict):  # a form, which the owner does not take
        body = body.dict()
    try:
        answer = hand_on(method, path, body)
    except OwnerAway as error:
        logger.warning("%s of a catalog entry could not be handed on: %s", method, error)
        away = {
            "detail": "The catalog service, which owns the entries, does not answer. Try again later.",
            "owner": "catalog",
            "retry_after_seconds": _RETRY_SECONDS,
        }
        return Response(away, status=503, headers={"Retry-After": str(_RETRY_SECONDS)})
    return Response(answer.body, status=answer.status)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ValidationError({"product": f"{text!r} is no UUID."}) from None
