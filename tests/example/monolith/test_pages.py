"""The home page and the admin of the monolith."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from example_project.monolith.catalog_copy.models import CatalogEntry
from example_project.monolith.products import rules
from example_project.monolith.products.models import Product

from .conftest import Arrive

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


def test_home_names_the_service_and_links_both(client: Client) -> None:
    """The page says who answers and where everything is found, here and at the other service."""
    page = client.get("/").content.decode()
    assert "<h1>Monolith</h1>" in page
    for url in ("/admin", "/api/v1/product", "/api/v1/catalog"):
        assert f'href="http://localhost:8000{url}"' in page
    assert 'href="http://localhost:8001/catalog/admin"' in page


def test_admin_redirects_to_itself(client: Client) -> None:
    """``/admin`` answers with its own address with a slash."""
    answer = client.get("/admin")
    assert (answer.status_code, answer["Location"]) == (301, "/admin/")


def test_cookies_and_static_files_have_names_of_their_own() -> None:
    """One browser can be logged in to both services, since their cookies differ."""
    assert (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME) == ("monolith_session", "monolith_csrf")
    assert settings.STATIC_URL == "/static/"


def test_product_is_created_and_changed_in_the_admin(admin: Client) -> None:
    """The admin's form creates and renames a product."""
    form = {"name": "Kite", "product_category": "Toys"}
    assert admin.post(reverse("admin:products_product_add"), form).status_code == 302
    product = Product.objects.get()
    url = reverse("admin:products_product_change", args=[product.pk])
    assert admin.post(url, {**form, "name": "Red kite"}).status_code == 302
    assert Product.objects.get().name == "Red kite"


def test_product_with_entries_is_deleted_in_the_admin(admin: Client, arrive: Arrive) -> None:
    """Entries that point at a product do not hold it; they go when their owner says so."""
    product = rules.create_product(name="Kite", product_category="Toys")
    entry = arrive.entry(product=str(product.product_uuid))
    url = reverse("admin:products_product_delete", args=[product.pk])
    assert "Are you sure" in admin.get(url).content.decode()
    assert admin.post(url, {"post": "yes"}).status_code == 302
    assert not Product.objects.exists()

    entries = reverse("admin:catalog_copy_catalogentry_changelist")
    assert "(deleted)" in admin.get(entries).content.decode()
    copy = CatalogEntry.objects.get()
    assert admin.get(reverse("admin:catalog_copy_catalogentry_change", args=[copy.pk])).status_code == 200
    arrive.event("deleted", entry)
    assert not CatalogEntry.objects.exists()
    assert admin.get(entries).status_code == 200


def test_products_with_entries_are_deleted_by_the_list_action(admin: Client, arrive: Arrive) -> None:
    """The action of the list deletes and discontinues, entries or not."""
    kite = rules.create_product(name="Kite", product_category="Toys")
    ball = rules.create_product(name="Ball", product_category="Toys")
    arrive.entry(product=str(kite.product_uuid))
    url = reverse("admin:products_product_changelist")
    admin.post(url, {"action": "discontinue", "_selected_action": [ball.pk]})
    assert Product.objects.get(name="Ball").discontinued
    admin.post(url, {"action": "delete_selected", "_selected_action": [kite.pk], "post": "yes"})
    assert [product.name for product in Product.objects.all()] == ["Ball"]


@pytest.mark.parametrize("model", ["catalogentry", "entryhistory"])
def test_copy_and_history_are_read_only_and_searched_by_key(
    admin: Client, arrive: Arrive, model: str
) -> None:
    """The lists find a row by its key and offer no way to change anything."""
    entry, other = arrive.entry(market="DE"), arrive.entry(market="AT")
    page = admin.get(reverse(f"admin:catalog_copy_{model}_changelist"), {"q": entry["entry_uuid"]})
    assert entry["entry_uuid"] in page.content.decode()
    assert other["entry_uuid"] not in page.content.decode()
    assert admin.get(reverse(f"admin:catalog_copy_{model}_add")).status_code == 403
