"""``/api/v1/product`` and ``/api/v1/market``."""

import uuid

import pytest
from django.test import Client

from example_project.monolith.products import rules
from example_project.monolith.products.models import Market, Product

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.mark.parametrize("url", ["/api/v1/product", "/api/v1/market", "/api/v1/catalog"])
def test_lists_answer_as_written_and_with_a_slash(client: Client, url: str) -> None:
    """GET answers 200 at the URL without a redirect, with or without a slash at its end."""
    for address in (url, f"{url}/"):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.json()["count"] == 0


@pytest.mark.parametrize("url", ["/api/v1/product", "/api/v1/product/"])
def test_post_creates_without_redirect(client: Client, url: str) -> None:
    """POST answers 201 at the URL with what was created."""
    answer = client.post(url, {"name": "Kite", "product_category": "Toys"}, content_type=JSON)
    assert answer.status_code == 201
    product = Product.objects.get()
    assert answer.json() == {
        "product_uuid": str(product.product_uuid),
        "name": "Kite",
        "product_category": "Toys",
        "discontinued": False,
    }


def test_product_lives_through_the_api(client: Client) -> None:
    """A product is shown, renamed, replaced, discontinued and deleted at its own URL."""
    product = rules.create_product(name="Kite", product_category="Toys")
    url = f"/api/v1/product/{product.product_uuid}"
    assert client.get(url).json()["name"] == "Kite"
    assert client.patch(url, {"name": "Red kite"}, content_type=JSON).json()["name"] == "Red kite"
    whole = {"product_uuid": str(product.product_uuid), "name": "Kite", "product_category": "Air"}
    assert client.put(url, whole, content_type=JSON).json()["product_category"] == "Air"
    assert client.patch(url, {"discontinued": True}, content_type=JSON).json()["discontinued"] is True
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_broken_rule_is_the_clients_error(client: Client) -> None:
    """A refused change answers 400 and names the field."""
    product = rules.create_product(name="Kite", product_category="Toys")
    url = f"/api/v1/product/{product.product_uuid}"
    changed_key = client.patch(url, {"product_uuid": str(uuid.uuid4())}, content_type=JSON)
    blank = client.post("/api/v1/product", {"name": " ", "product_category": "Toys"}, content_type=JSON)
    code = client.post("/api/v1/market", {"iso_code": "D", "name": "Germany"}, content_type=JSON)
    assert [answer.status_code for answer in (changed_key, blank, code)] == [400, 400, 400]
    assert [set(answer.json()) for answer in (changed_key, blank, code)] == [
        {"product_uuid"},
        {"name"},
        {"iso_code"},
    ]


def test_list_is_paged_and_searched(client: Client) -> None:
    """``page_size`` and ``page`` walk through the list; ``name`` asks for a part of the name."""
    for number in range(5):
        rules.create_product(name=f"Kite {number}", product_category="Toys")
    page = client.get("/api/v1/product?page_size=2&page=2").json()
    assert [row["name"] for row in page["results"]] == ["Kite 2", "Kite 3"]
    assert page["count"] == 5
    assert client.get("/api/v1/product?name=kite 4").json()["count"] == 1


def test_market_lives_through_the_api(client: Client) -> None:
    """A market is created, renamed and deleted; its code stays."""
    assert (
        client.post("/api/v1/market", {"iso_code": "DE", "name": "Germany"}, content_type=JSON).status_code
        == 201
    )
    assert client.patch("/api/v1/market/DE", {"name": "Deutschland"}, content_type=JSON).json() == {
        "iso_code": "DE",
        "name": "Deutschland",
    }
    assert client.delete("/api/v1/market/DE").status_code == 204
    assert not Market.objects.exists()
