"""The rules of markets and products."""

import uuid

import pytest
from django.core.exceptions import ValidationError

from example_project.monolith.products import rules, sample
from example_project.monolith.products.models import Market, Product

pytestmark = pytest.mark.django_db


def test_names_are_trimmed_and_must_not_be_blank() -> None:
    """A product is saved with a trimmed name, and refused without any."""
    assert rules.create_product(name=" Kite ", product_category="Toys").name == "Kite"
    with pytest.raises(ValidationError) as refused:
        rules.create_product(name="  ", product_category="Toys")
    assert set(refused.value.message_dict) == {"name"}
    assert Product.objects.count() == 1


def test_uuid_of_the_client_is_taken_once() -> None:
    """A client may name the UUID; a second product with it is refused."""
    key = uuid.uuid4()
    assert rules.create_product(name="Kite", product_category="Toys", product_uuid=key).product_uuid == key
    with pytest.raises(ValidationError) as refused:
        rules.create_product(name="Ball", product_category="Toys", product_uuid=key)
    assert set(refused.value.message_dict) == {"product_uuid"}


def test_key_cannot_be_changed() -> None:
    """The UUID of a product and the code of a market stay, whatever is asked."""
    product = rules.create_product(name="Kite", product_category="Toys")
    market = rules.create_market(iso_code="de", name="Germany")
    with pytest.raises(ValidationError, match="cannot be changed"):
        rules.change_product(product, product_uuid=uuid.uuid4())
    with pytest.raises(ValidationError, match="cannot be changed"):
        rules.change_market(market, iso_code="AT")


def test_change_keeps_what_somebody_else_changed_meanwhile() -> None:
    """A rename does not bring an old value of another field back."""
    stale = rules.create_product(name="Kite", product_category="Toys")
    rules.discontinue_product(Product.objects.get())
    renamed = rules.change_product(stale, name="Red kite")
    assert (renamed.name, renamed.discontinued) == ("Red kite", True)


@pytest.mark.parametrize("code", ["D", "DEU", "D1", ""])
def test_market_needs_an_iso_code(code: str) -> None:
    """A code that is not two letters is refused."""
    with pytest.raises(ValidationError) as refused:
        rules.create_market(iso_code=code, name="Somewhere")
    assert "iso_code" in refused.value.message_dict


def test_sample_is_loaded_once_and_always_the_same() -> None:
    """200 products in 8 markets, with the same UUIDs each time; a second load adds nothing."""
    assert sample.load() == 200
    assert (Product.objects.count(), Market.objects.count()) == (200, 8)
    assert set(Product.objects.values_list("product_uuid", flat=True)) == {
        product.product_uuid for product in sample.products()
    }
    Product.objects.first().delete()
    assert sample.load() == 0
    assert Product.objects.count() == 199
