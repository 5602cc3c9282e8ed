"""The old ``/api/v1/catalog``: reads from the copy, writes handed on to the owner."""

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from example_project.monolith.catalog_copy.models import CatalogEntry

from .conftest import Arrive

pytestmark = pytest.mark.django_db
JSON = "application/json"


@dataclass
class Owner:
    """A server at the owner's place: remembers what it was asked and answers as it was told."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@pytest.fixture
def owner(settings: LazySettings) -> Iterator[Owner]:
    place = Owner()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            place.asked.append((self.command, self.path, json.loads(content) if content else None))
            self.send_response(place.status)
            self.end_headers()
            self.wfile.write(place.body)

        do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        place.url = settings.CATALOG_SERVICE_URL = f"http://127.0.0.1:{server.server_port}"
        yield place
        server.shutdown()
        thread.join()


def test_reads_come_from_the_copy(client: Client, arrive: Arrive) -> None:
    """List and detail show what the stream has brought, in the old form, narrowed on demand."""
    entry = arrive.entry(market="DE")
    arrive.entry(market="AT")
    whole = {
        "entry_uuid": entry["entry_uuid"],
        "product": entry["product"],
        "market": "DE",
        "availability_date": "2026-01-01",
        "availability_end_date": None,
    }
    assert client.get(f"/api/v1/catalog/{entry['entry_uuid']}").json() == whole
    assert client.get("/api/v1/catalog").json()["count"] == 2
    assert client.get("/api/v1/catalog?market=DE").json()["results"] == [whole]
    assert client.get(f"/api/v1/catalog?product={entry['product']}").json()["results"] == [whole]
    assert client.get("/api/v1/catalog?product=nonsense").status_code == 400


def test_writes_go_to_the_owner_and_its_answer_comes_back(client: Client, owner: Owner) -> None:
    """Create, replace, change and delete reach the owner as JSON; nothing is written to the copy."""
    owner.status, owner.body = 201, b'{"entry_uuid": "x"}'
    new = {"product": "p", "market": "DE", "availability_date": "2026-01-01"}
    key = uuid.uuid4()
    created = client.post("/api/v1/catalog", new, content_type=JSON)
    assert (created.status_code, created.json()) == (201, {"entry_uuid": "x"})
    client.post("/api/v1/catalog/", new)
    client.put(f"/api/v1/catalog/{key}", new, content_type=JSON)
    client.patch(f"/api/v1/catalog/{key}", {"market": "AT"}, content_type=JSON)
    owner.status, owner.body = 204, b""
    assert client.delete(f"/api/v1/catalog/{key}").status_code == 204
    assert owner.asked == [
        ("POST", "/catalog/api/v1", new),
        ("POST", "/catalog/api/v1", new),
        ("PUT", f"/catalog/api/v1/{key}", new),
        ("PATCH", f"/catalog/api/v1/{key}", {"market": "AT"}),
        ("DELETE", f"/catalog/api/v1/{key}", None),
    ]
    assert not CatalogEntry.objects.exists()


@pytest.mark.parametrize("status", [400, 404, 409])
def test_refusal_of_the_owner_is_passed_on(client: Client, owner: Owner, status: int) -> None:
    """What the owner refuses is refused with its own status and words."""
    owner.status, owner.body = status, b'{"market": ["unknown"]}'
    answer = client.post("/api/v1/catalog", {"market": "XX"}, content_type=JSON)
    assert (answer.status_code, answer.json()) == (status, {"market": ["unknown"]})


def _says_away(client: Client) -> bool:
    answer = client.post("/api/v1/catalog", {"market": "DE"}, content_type=JSON)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    return bool(answer.json()["owner"] == "catalog" and "does not answer" in answer.json()["detail"])


def test_absent_owner_gives_503_and_reading_goes_on(
    client: Client, settings: LazySettings, arrive: Arrive
) -> None:
    """With nobody at the owner's address writes say so clearly; reads are not touched by it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        settings.CATALOG_SERVICE_URL = f"http://127.0.0.1:{closed.server_port}"
    arrive.entry(market="DE")
    assert _says_away(client)
    assert client.get("/api/v1/catalog").json()["count"] == 1


def test_silent_owner_gives_503(client: Client, settings: LazySettings) -> None:
    """An owner that takes the connection and never answers does not hold the request."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        settings.CATALOG_SERVICE_URL = f"http://127.0.0.1:{silent.server_port}"
        settings.CATALOG_SERVICE_TIMEOUT_SECONDS = 0.2
        assert _says_away(client)


@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (502, b"bad gateway"), (200, b"<html>")])
def test_failing_owner_gives_503(client: Client, owner: Owner, status: int, body: bytes) -> None:
    """A failure of the owner, or an answer that is none of its own, is no answer."""
    owner.status, owner.body = status, body
    assert _says_away(client)
