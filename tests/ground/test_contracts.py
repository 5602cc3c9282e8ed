"""Schemas: from files, from models, and what is said when a payload breaks one."""

import json
from pathlib import Path

import pytest
from django.apps import apps

from django_outbox import contracts
from django_outbox.exceptions import PayloadInvalid
from django_outbox.producer.payloads import derive_schema
from django_outbox.producer.publications import publication_of
from tests.shop.models import Product, Review


@pytest.fixture
def schema_file(monkeypatch, tmp_path: Path):
    """Write a schema file of the app ``shop``."""
    monkeypatch.setattr(apps.get_app_config("shop"), "path", str(tmp_path))
    contracts.reset()

    def write(name: str, content: str) -> None:
        (tmp_path / "schemas").mkdir(exist_ok=True)
        (tmp_path / "schemas" / name).write_text(content)
        contracts.reset()

    yield write
    monkeypatch.undo()
    contracts.reset()


def test_a_schema_is_derived_from_the_model() -> None:
    """Names, types, lengths and what may be null; nothing more is allowed."""
    publication = publication_of(Product)
    assert publication is not None
    schema = derive_schema(publication)
    assert schema["required"] == list(publication.fields)
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "product_uuid": {"type": "string", "format": "uuid"},
        "name": {"type": "string", "maxLength": 100},
        "price": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
        "discontinued": {"type": "boolean"},
        "category": {"type": ["integer", "null"]},
        "supplier": {"type": ["integer", "null"]},
        "maker": {"type": ["integer", "null"]},
        "stock": {"type": "integer"},
        "changed_at": {"type": "string", "format": "date-time"},
    }


def test_a_foreign_key_has_the_schema_of_the_key_that_it_shows() -> None:
    """A review's product is the product's UUID."""
    publication = publication_of(Review)
    assert publication is not None
    assert derive_schema(publication)["properties"]["product"] == {"type": "string", "format": "uuid"}


def test_a_file_goes_before_everything(schema_file) -> None:
    """``schemas/<type>.v<N>.json`` of an app overrides what the model says."""
    schema_file("shop.product.created.v1.json", json.dumps({"type": "object", "required": ["colour"]}))
    with pytest.raises(PayloadInvalid, match="'colour' is a required property"):
        contracts.check_payload("shop.product.created", 1, {})
    contracts.check_payload("shop.product.created", 1, {"colour": "red"})


def test_formats_are_checked(schema_file) -> None:
    """A UUID is a UUID, with jsonschema and with jsonschema-rs."""
    schema_file("t.seen.v1.json", json.dumps({"properties": {"id": {"type": "string", "format": "uuid"}}}))
    with pytest.raises(PayloadInvalid, match=r"at \$\.id"):
        contracts.check_payload("t.seen", 1, {"id": "no"})


def test_other_versions_and_types_have_no_schema(schema_file) -> None:
    """Where nobody wrote one, any JSON will do."""
    schema_file("t.seen.v1.json", json.dumps({"type": "object"}))
    contracts.check_payload("t.seen", 2, [])
    contracts.check_payload("t.other", 1, [])


@pytest.mark.parametrize("content", ["{", '{"type": "objekt"}'])
def test_a_broken_file_is_an_error_of_check(schema_file, content: str) -> None:
    """P10: with the file's path."""
    schema_file("t.seen.v1.json", content)
    [problem] = contracts.schema_problems()
    assert "t.seen.v1.json is no JSON Schema" in problem


def test_validators_are_built_once(schema_file) -> None:
    """A validator is not rebuilt for each message."""
    schema_file("t.seen.v1.json", json.dumps({"type": "object"}))
    assert contracts._validator("t.seen", 1) is contracts._validator("t.seen", 1)


CASES = [
    ({"type": "string", "format": "date-time"}, ["2026-01-02T03:04:05.000001+00:00", "2026-01-02", 5]),
    ({"type": "string", "format": "date"}, ["2026-01-02", "2026-02-30"]),
    ({"type": "string", "format": "uuid"}, ["0190a5b4-7d5c-7000-8000-000000000000", "0190"]),
    ({"type": "integer", "minimum": 1}, [1, 1.0, 0, True, "1", 2**70]),
    ({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, ["1.50", "-3", "1e5", "٣"]),
    ({"type": ["string", "null"], "maxLength": 2}, [None, "ab", "äöü", "\U0001f600x"]),
    ({"required": ["a"], "additionalProperties": False, "properties": {"a": {}}}, [{"a": 1}, {"b": 1}, {}]),
]


@pytest.mark.parametrize(("schema", "values"), CASES)
def test_the_fast_validator_agrees_with_jsonschema(schema: dict[str, object], values: list[object]) -> None:
    """The extra ``fast`` changes the speed and no verdict."""
    rs = pytest.importorskip("jsonschema_rs", reason="the extra 'fast' is not installed")
    from jsonschema import Draft202012Validator

    slow = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    fast = rs.Draft202012Validator(schema, validate_formats=True)
    assert [slow.is_valid(value) for value in values] == [fast.is_valid(value) for value in values]
