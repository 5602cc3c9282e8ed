"""The home page of a service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

__all__ = ["Link", "Page", "Rows", "home"]


@dataclass(frozen=True)
class Rows:
    """A kind of rows that the service has, and how many."""

    name: str
    count: int
    note: str


@dataclass(frozen=True)
class Link:
    """An address with what is found there."""

    url: str
    text: str


@dataclass(frozen=True)
class Page:
    """What the home page of a service says."""

    name: str
    summary: str
    owned: Sequence[Rows]
    copied: Sequence[Rows]
    links: Sequence[Link]
    other_name: str
    other_links: Sequence[Link]


def home(page: Callable[[], Page]) -> Callable[[HttpRequest], HttpResponse]:
    """A view that shows what ``page`` says at the time of the request."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        return render(request, "frame/home.html", {"page": page()})

    return view
