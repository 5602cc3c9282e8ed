"""``/catalog/api/v1``: the catalog entries, and the copies that they refer to."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import NinjaAPI, Schema, Status
from ninja.errors import ValidationError as RequestInvalid
from ninja.pagination import LimitOffsetPagination, paginate

from .entries import rules
from .entries.models import CatalogEntry
from .shop_copy.models import Market, Product

__all__ = ["api"]

api = NinjaAPI(title="Catalog", version="1", docs_url="/v1/docs", openapi_url="/v1/openapi.json")


class EntryOut(Schema):
    entry_uuid: uuid.UUID
    product: uuid.UUID
    market: str
    availability_date: date
    availability_end_date: date | None

    @staticmethod
    def resolve_product(entry: CatalogEntry) -> uuid.UUID:
        return entry.product_id

    @staticmethod
    def resolve_market(entry: CatalogEntry) -> str:
        return entry.market_id


class EntryIn(Schema):
    """A new entry, or the whole of a changed one."""

    product: uuid.UUID
    market: str
    availability_date: date
    availability_end_date: date | None = None


class NewEntry(EntryIn):
    entry_uuid: uuid.UUID | None = None


class EntryChanges(Schema):
    product: uuid.UUID | None = None
    market: str | None = None
    availability_date: date | None = None
    availability_end_date: date | None = None


class ProductOut(Schema):
    product_uuid: uuid.UUID
    name: str
    product_category: str
    discontinued: bool


class MarketOut(Schema):
    iso_code: str
    name: str


@api.exception_handler(ValidationError)
def rule_broken(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """A broken rule is the client's error: 400 with the fields and the reasons."""
    reasons = error.message_dict if hasattr(error, "error_dict") else {"detail": error.messages}
    return api.create_response(request, reasons, status=400)


@api.exception_handler(RequestInvalid)
def request_invalid(request: HttpRequest, error: RequestInvalid) -> HttpResponse:
    """What has the wrong shape is answered like what breaks a rule."""
    reasons: dict[str, list[str]] = {}
    for problem in error.errors:
        reasons.setdefault(str(problem["loc"][-1]), []).append(problem["msg"])
    return api.create_response(request, reasons, status=400)


def route(method: str, path: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An operation at ``path``, with and without a slash at its end."""

    def register(view: Callable[..., Any]) -> Callable[..., Any]:
        api.api_operation([method], f"{path}/", include_in_schema=False, **options)(view)
        return api.api_operation([method], path, **options)(view)

    return register


@route("GET", "/v1", response=list[EntryOut])
@paginate(LimitOffsetPagination)
def list_entries(
    request: HttpRequest, product: uuid.UUID | None = None, market: str | None = None
) -> QuerySet[CatalogEntry]:
    wanted = {"product_id": product, "market_id": market}
    return CatalogEntry.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


@route("POST", "/v1", response={201: EntryOut})
def create_entry(request: HttpRequest, entry: NewEntry) -> Status:
    return Status(201, rules.create_entry(**entry.dict()))


@route("GET", "/v1/{uuid:entry_uuid}", response=EntryOut)
def show_entry(request: HttpRequest, entry_uuid: uuid.UUID) -> CatalogEntry:
    return get_object_or_404(CatalogEntry, entry_uuid=entry_uuid)


@route("PUT", "/v1/{uuid:entry_uuid}", response=EntryOut)
def replace_entry(request: HttpRequest, entry_uuid: uuid.UUID, entry: EntryIn) -> CatalogEntry:
    return rules.change_entry(get_object_or_404(CatalogEntry, entry_uuid=entry_uuid), **entry.dict())


@route("PATCH", "/v1/{uuid:entry_uuid}", response=EntryOut)
def change_entry(request: HttpRequest, entry_uuid: uuid.UUID, changes: EntryChanges) -> CatalogEntry:
    entry = get_object_or_404(CatalogEntry, entry_uuid=entry_uuid)
    return rules.change_entry(entry, **changes.dict(exclude_unset=True))


@route("DELETE", "/v1/{uuid:entry_uuid}", response={204: None})
def remove_entry(request: HttpRequest, entry_uuid: uuid.UUID) -> Status:
    rules.remove_entry(get_object_or_404(CatalogEntry, entry_uuid=entry_uuid))
    return Status(204, None)


@route("GET", "/v1/products", response=list[ProductOut])
@paginate(LimitOffsetPagination)
def list_products(request: HttpRequest, name: str = "") -> QuerySet[Product]:
    """The copies of the shop's products; ``?name=`` asks for a part of the name."""
    return Product.objects.filter(outbox_deleted=False, name__icontains=name)


@route("GET", "/v1/products/{uuid:product_uuid}", response=ProductOut)
def show_product(request: HttpRequest, product_uuid: uuid.UUID) -> Product:
    return get_object_or_404(Product, product_uuid=product_uuid, outbox_deleted=False)


@route("GET", "/v1/markets", response=list[MarketOut])
@paginate(LimitOffsetPagination)
def list_markets(request: HttpRequest) -> QuerySet[Market]:
    return Market.objects.filter(outbox_deleted=False)
