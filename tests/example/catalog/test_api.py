"""``/catalog/api/v1``."""

import uuid

import pytest
from django.test import Client

from example_project.catalog.entries.models import CatalogEntry

from .conftest import Arrive

pytestmark = pytest.mark.django_db
JSON = "application/json"
URL = "/catalog/api/v1"


@pytest.mark.parametrize("url", [URL, f"{URL}/products", f"{URL}/markets"])
def test_lists_answer_as_written_and_with_a_slash(client: Client, url: str) -> None:
    """GET answers 200 at the URL without a redirect, with or without a slash at its end."""
    for address in (url, f"{url}/"):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.json() == {"items": [], "count": 0}


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
def test_post_creates_without_redirect(client: Client, arrive: Arrive, url: str) -> None:
    """POST answers 201 at the URL with the whole entry."""
    new = {"product": str(arrive.product()), "market": arrive.market("DE"), "availability_date": "2026-01-01"}
    answer = client.post(url, new, content_type=JSON)
    assert answer.status_code == 201
    key = str(CatalogEntry.objects.get().entry_uuid)
    assert answer.json() == {"entry_uuid": key, **new, "availability_end_date": None}


def test_entry_lives_through_the_api(client: Client, arrive: Arrive) -> None:
    """An entry is shown, changed, replaced and removed at its own URL, and found by its product."""
    product, market = arrive.product(), arrive.market("DE")
    new = {"product": str(product), "market": market, "availability_date": "2026-01-01"}
    key = client.post(URL, new, content_type=JSON).json()["entry_uuid"]
    url = f"{URL}/{key}"
    assert client.get(url).json()["market"] == "DE"
    changed = client.patch(url, {"availability_end_date": "2026-12-31"}, content_type=JSON)
    assert changed.json()["availability_end_date"] == "2026-12-31"
    assert client.put(url, new, content_type=JSON).json()["availability_end_date"] is None
    assert client.get(URL, {"product": str(product)}).json()["count"] == 1
    assert client.get(URL, {"market": "AT"}).json()["count"] == 0
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_broken_rule_and_wrong_shape_are_the_clients_error(client: Client, arrive: Arrive) -> None:
    """What a rule refuses and what has the wrong shape answer 400 and name the field."""
    product = str(arrive.product())
    unknown = client.post(
        URL, {"product": product, "market": "XX", "availability_date": "2026-01-01"}, content_type=JSON
    )
    missing = client.post(URL, {"product": product, "market": "XX"}, content_type=JSON)
    assert [answer.status_code for answer in (unknown, missing)] == [400, 400]
    assert [set(answer.json()) for answer in (unknown, missing)] == [{"market"}, {"availability_date"}]
    assert client.post(URL, b"{bad", content_type=JSON).status_code == 400


def test_copies_are_shown_until_their_owner_deletes_them(client: Client, arrive: Arrive) -> None:
    """A product is listed and found by name and UUID; a deleted one is not there."""
    product, other = arrive.product(name="Red kite"), arrive.product(name="Ball")
    assert client.get(f"{URL}/products").json()["count"] == 2
    found = client.get(f"{URL}/products", {"name": "kite"}).json()["items"]
    assert found == [
        {"product_uuid": str(product), "name": "Red kite", "product_category": "Toys", "discontinued": False}
    ]
    assert client.get(f"{URL}/products/{product}").json() == found[0]
    arrive.delete_product(product)
    assert client.get(f"{URL}/products/{product}").status_code == 404
    assert [row["name"] for row in client.get(f"{URL}/products").json()["items"]] == ["Ball"]
    assert client.get(f"{URL}/products/{other}").status_code == 200
    assert client.get(f"{URL}/{uuid.uuid4()}").status_code == 404
