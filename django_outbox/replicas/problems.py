"""What can be wrong with ``class Replica`` of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from ..conf import nearest
from .models import ReplicaModel, replica_models
from .options import BASE_FIELDS, OPTIONS, OnDelete, given_options

__all__ = ["option_problems", "problems"]

Problem = tuple[str, str, Any]


def problems() -> list[Problem]:
    """What is wrong with the copies' options: message, hint and model."""
    return [problem for model in replica_models() for problem in option_problems(model)]


def option_problems(model: type[ReplicaModel]) -> list[Problem]:
    """Everything that is wrong with the model's ``class Replica``: message, hint and the model."""
    label = model._meta.label
    if getattr(model, "Replica", None) is None:
        hint = "Add class Replica with topic and key, such as topic = 'shop.product'."
        return [(f"{label} has no class Replica.", hint, model)]
    found = [*_unknown(model), *_shape(model)]
    return [(message, hint, model) for message, hint in found or [*_key(model), *_fields(model)]]


def _unknown(model: type[ReplicaModel]) -> Iterator[tuple[str, str]]:
    for name in given_options(model):
        if name not in OPTIONS:
            text = f"{model._meta.label}: class Replica has an unknown option {name!r}"
            yield f"{text}; {nearest(name, OPTIONS)}", "Remove or rename it."


def _shape(model: type[ReplicaModel]) -> Iterator[tuple[str, str]]:
    given, label = given_options(model), f"{model._meta.label}: class Replica"
    for name in ("topic", "key"):
        if not isinstance(given.get(name), str) or not given[name]:
            yield f"{label} needs {name!r}.", "Such as topic = 'shop.product' and key = 'product_uuid'."
    versions = given.get("versions", [1])
    numbers = list(versions) if isinstance(versions, (list, tuple, set)) else []
    if not numbers or not all(isinstance(number, int) and number > 0 for number in numbers):
        yield f"{label} has versions = {versions!r}.", "Expected is a list of whole numbers from 1."
    if given.get("on_delete", "delete") not in get_args(OnDelete):
        yield f"{label} has on_delete = {given['on_delete']!r}.", "Expected is 'delete', 'mark' or 'keep'."
    fields = given.get("fields")
    if fields is not None and not isinstance(fields, (list, tuple, Mapping)):
        hint = "Expected is a list of names, or a dict of own names and names in the payload."
        yield f"{label} has fields = {fields!r}.", hint


def _key(model: type[ReplicaModel]) -> Iterator[tuple[str, str]]:
    options, label = model.replica_options(), f"{model._meta.label}: class Replica"
    names = [field.name for field in model._meta.concrete_fields if field.name not in BASE_FIELDS]
    try:
        field = model._meta.get_field(options.key)
    except FieldDoesNotExist:
        yield f"{label} has key {options.key!r}, which is no field; {nearest(options.key, names)}", ""
        return
    if not getattr(field, "unique", False):
        hint = f"Give {options.key} unique=True: two copies of one row cannot be told apart."
        yield f"{label} has key {options.key!r}, which is not unique.", hint
    if "Outbox" in {name for base in model.__mro__ for name in vars(base)}:
        hint = "What the owner publishes is not published again: it would go round for ever."
        yield f"{model._meta.label} is a copy and published too.", hint


def _fields(model: type[ReplicaModel]) -> Iterator[tuple[str, str]]:
    options, label = model.replica_options(), f"{model._meta.label}: class Replica"
    concrete = {field.name: field for field in model._meta.concrete_fields}
    allowed = [name for name in concrete if name not in BASE_FIELDS]
    for name in options.fields or ():
        if name not in allowed:
            yield f"{label} copies {name!r}, which is no field; {nearest(str(name), allowed)}", ""
    for name, field in concrete.items():
        if isinstance(field, models.ForeignKey) and model.copies(name):
            yield from _foreign_key(model, field)


def _foreign_key(model: type[ReplicaModel], field: models.ForeignKey[Any, Any]) -> Iterator[tuple[str, str]]:
    label = f"{model._meta.label}.{field.name}"
    if field.remote_field.on_delete is not models.DO_NOTHING:
        hint = "Say on_delete=DO_NOTHING: the owner's events, not Django, delete copies."
        yield f"{label} of a copy has another on_delete than DO_NOTHING.", hint
    parent = field.remote_field.model
    target = getattr(parent, "replica_options", None)
    if target is not None and field.target_field.name != target().key:
        hint = f"Say to_field={target().key!r}: payloads hold the parent's key."
        yield f"{label} does not point at the key of {parent._meta.label}.", hint
