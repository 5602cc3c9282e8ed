"""The home page and the admin of the catalog service."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from example_project.catalog.entries.models import CatalogEntry

from .conftest import Arrive

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.mark.parametrize("url", ["/", "/catalog", "/catalog/"])
def test_home_names_the_service_and_links_both(client: Client, url: str) -> None:
    """The page says who answers and where everything is found, here and at the other service."""
    page = client.get(url).content.decode()
    assert "<h1>Catalog service</h1>" in page
    for address in ("/catalog/admin", "/catalog/api/v1", "/catalog/api/v1/products"):
        assert f'href="http://localhost:8001{address}"' in page
    assert 'href="http://localhost:8000/admin"' in page


def test_admin_redirects_to_itself(client: Client) -> None:
    """``/catalog/admin`` answers with its own address with a slash."""
    answer = client.get("/catalog/admin")
    assert (answer.status_code, answer["Location"]) == (301, "/catalog/admin/")


def test_cookies_and_static_files_have_names_of_their_own() -> None:
    """One browser can be logged in to both services, since their cookies differ."""
    assert (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME) == ("catalog_session", "catalog_csrf")
    assert settings.STATIC_URL == "/catalog/static/"


def test_entry_is_made_changed_and_removed_in_the_admin(admin: Client, arrive: Arrive) -> None:
    """The admin's forms do what the API does."""
    form = {
        "product": str(arrive.product()),
        "market": arrive.market("DE"),
        "availability_date": "2026-01-01",
    }
    assert admin.post(reverse("admin:entries_catalogentry_add"), form).status_code == 302
    entry = CatalogEntry.objects.get()
    change = reverse("admin:entries_catalogentry_change", args=[entry.pk])
    assert admin.post(change, {**form, "availability_end_date": "2026-12-31"}).status_code == 302
    assert CatalogEntry.objects.get().availability_end_date
    assert admin.get(reverse("admin:entries_catalogentry_changelist")).status_code == 200
    remove = reverse("admin:entries_catalogentry_delete", args=[entry.pk])
    assert admin.post(remove, {"post": "yes"}).status_code == 302
    assert not CatalogEntry.objects.exists()


def test_rules_are_answered_in_the_form(admin: Client, arrive: Arrive) -> None:
    """What a rule refuses is an error beside its field, and nothing is saved."""
    product = arrive.product()
    arrive.discontinue(product)
    form = {"product": str(product), "market": arrive.market("DE"), "availability_date": "2026-01-01"}
    answer = admin.post(reverse("admin:entries_catalogentry_add"), form)
    assert answer.status_code == 200
    assert "is discontinued" in answer.content.decode()
    assert not CatalogEntry.objects.exists()


@pytest.mark.parametrize("model", ["product", "producthistory"])
def test_copies_and_history_are_read_only_and_searched_by_key(
    admin: Client, arrive: Arrive, model: str
) -> None:
    """The lists find a row by its key and offer no way to change anything."""
    product, other = arrive.product(), arrive.product()
    page = admin.get(reverse(f"admin:shop_copy_{model}_changelist"), {"q": str(product)})
    assert str(product) in page.content.decode()
    assert str(other) not in page.content.decode()
    assert admin.get(reverse(f"admin:shop_copy_{model}_add")).status_code == 403
