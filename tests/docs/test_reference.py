"""The reference against the code: what exists is written down, and what is written down exists."""

from __future__ import annotations

import ast
import inspect
import re
from argparse import ArgumentParser
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import pytest
from celery import current_app
from django.apps import apps
from django.core.management import load_command_class

import django_outbox
from django_outbox import exceptions, record_event, testing, wire
from django_outbox.brokers.kafka import options as broker_options
from django_outbox.conf import Settings
from django_outbox.consumer.handlers import handles, handles_batch
from django_outbox.events import Event
from django_outbox.producer import publications
from django_outbox.replicas import options as replica_options

from .pages import ROOT, headings, page, rows

COMMANDS = sorted(
    path.stem for path in (ROOT / "django_outbox/management/commands").glob("*.py") if path.stem != "__init__"
)


def _section(text: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found[2]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _first_cells(text: str) -> list[str]:
    return [name for row in rows(text) for name in _names(row[0])]


def _default(spec: object) -> object:
    if spec.default is not MISSING:  # type: ignore[attr-defined]
        return spec.default  # type: ignore[attr-defined]
    factory = spec.default_factory  # type: ignore[attr-defined]
    return factory() if factory is not MISSING else "required"


def test_every_setting_is_in_the_table_with_its_default() -> None:
    """The table of settings has the fields of ``Settings``, in their order, with their defaults."""
    table = rows(page("docs/reference/settings.md").partition("## ")[0])
    written = {
        _names(row[0])[0]: row[1] if row[1] == "required" else ast.literal_eval(_names(row[1])[0])
        for row in table
    }
    assert list(written.items()) == [(spec.name.upper(), _default(spec)) for spec in fields(Settings)]


def test_the_unit_in_a_setting_s_name_is_the_unit_in_the_table() -> None:
    """A name that ends in a unit has that unit in its line."""
    for row in rows(page("docs/reference/settings.md").partition("## ")[0]):
        word = _names(row[0])[0].rpartition("_")[2].lower()
        if word in ("seconds", "bytes", "events", "attempts"):
            assert row[2] == word, row[0]


def test_every_settled_option_of_kafka_is_named() -> None:
    """The options of librdkafka that are refused are those that the page calls settled."""
    section = _section(page("docs/reference/settings.md"), "Options of KAFKA that are settled")
    assert set(_first_cells(section)) == {*broker_options._SETTLED, "partitioner"}


def test_every_check_has_its_place() -> None:
    """The ids of the system checks are the headings of their page."""
    used = set(re.findall(r'id="(django_outbox\.[EW]\d{3})"', page("django_outbox/checks.py")))
    written = [
        heading.strip("`")
        for heading in headings(page("docs/reference/checks.md"))
        if "django_outbox." in heading
    ]
    assert len(written) == len(set(written))
    assert set(written) == used


@pytest.mark.parametrize("name", django_outbox.__all__)
def test_every_public_name_has_an_entry(name: str) -> None:
    """A name that is imported from django_outbox is a heading of the reference."""
    pages = (page(str(path.relative_to(ROOT))) for path in (ROOT / "docs/reference").glob("*.md"))
    assert f"`{name}`" in [heading for text in pages for heading in headings(text)]


def test_every_helper_for_tests_has_an_entry() -> None:
    """The names of django_outbox.testing are headings of their page."""
    written = [
        heading.strip("`") for heading in headings(page("docs/reference/testing.md")) if heading[0] == "`"
    ]
    assert sorted(written) == sorted(testing.__all__)


def test_every_command_has_its_place() -> None:
    """The commands page has the commands that exist, and no others."""
    written = [
        heading.strip("`") for heading in headings(page("docs/reference/commands.md")) if heading[0] == "`"
    ]
    assert sorted(written) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_written_down(name: str) -> None:
    """The options in a command's section are those that its parser takes besides Django's own."""
    parser = ArgumentParser()
    load_command_class("django_outbox", name).add_arguments(parser)  # type: ignore[arg-type]
    taken: set[str] = set()
    for action in parser._actions:
        taken |= set(action.option_strings or action.choices or [])
    written = set(_first_cells(_section(page("docs/reference/commands.md"), f"`{name}`")))
    assert written == taken - {"-h", "--help"}


def test_every_task_has_its_place() -> None:
    """The Celery tasks in the table are those that are registered."""
    import_module("django_outbox.tasks")
    registered = {name for name in current_app.tasks if name.startswith("django_outbox.")}
    assert set(_first_cells(_section(page("docs/reference/commands.md"), "Celery tasks"))) == registered


def test_every_option_of_a_publication_is_in_the_table() -> None:
    """``class Outbox`` has the options of the table."""
    section = _section(page("docs/reference/publishing.md"), "class Outbox")
    assert sorted(_first_cells(section)) == sorted(publications.OPTIONS)


def test_every_option_of_a_replica_is_in_the_table() -> None:
    """``class Replica`` has the options of the table."""
    section = _section(page("docs/reference/replicas.md"), "class Replica")
    assert _first_cells(section) == replica_options.OPTIONS


def test_every_argument_of_record_event_is_in_the_table() -> None:
    """The arguments of ``record_event`` are those of the table, and the line above it is its signature."""
    section = _section(page("docs/reference/publishing.md"), "`record_event`")
    signature = inspect.signature(record_event)
    assert sorted(_first_cells(section)) == sorted(signature.parameters)
    bare = signature.replace(
        parameters=[p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()],
        return_annotation=inspect.Signature.empty,
    )
    assert f"`record_event{bare}`" in section


@pytest.mark.parametrize("decorator", [handles, handles_batch])
def test_every_argument_of_a_decorator_is_in_the_table(decorator: object) -> None:
    """Both decorators take what the table says, with its defaults."""
    table = rows(_section(page("docs/reference/consuming.md"), "`handles`"))
    written = {_names(row[0])[0]: ast.literal_eval(_names(row[1])[0]) for row in table}
    parameters = inspect.signature(decorator).parameters.values()  # type: ignore[arg-type]
    assert written == {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def test_every_attribute_of_an_event_is_in_the_table() -> None:
    """The attributes of ``Event`` are those of the table, in their order."""
    section = _section(page("docs/reference/consuming.md"), "`Event`")
    assert _first_cells(section) == [*(spec.name for spec in fields(Event)), "word"]


def test_every_error_is_in_the_table() -> None:
    """The exceptions that the package defines are named on the page of errors."""
    defined = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    }
    assert defined <= set(_names(page("docs/reference/errors.md")))


def test_every_table_is_written_down() -> None:
    """The models in the tables of the page are those of the app."""
    models = {model.__name__ for model in apps.get_app_config("django_outbox").get_models()}
    assert set(_first_cells(page("docs/reference/tables.md"))) == models


def test_every_header_of_a_message_is_written_down() -> None:
    """The headers of a message that the outbox sends are those of the table."""
    event = Event(
        id="1",
        type="shop.product.created",
        topic="shop.product",
        key="1",
        sequence=42,
        epoch=1,
        version=1,
        operation="created",
        payload={},
        source="/shop",
        time=None,
        headers={"traceparent": "00-1-1-00", "tracestate": "a=1"},
    )
    sent = {name: value.decode() for name, value in wire.message_of(event).headers if value is not None}
    table = {name: row for row in rows(page("docs/reference/wire.md")) for name in _names(row[0])}
    assert set(table) == {*sent, "ce_time"}
    assert _names(table["ce_sequence"][1]) == [sent["ce_sequence"]]


def test_the_glossary_has_the_words_of_the_design() -> None:
    """Each word that has one meaning has it in the glossary."""
    written = re.findall(r"^([a-z][a-z ]+)$", page("docs/glossary.md"), re.MULTILINE)
    words = """
        event, event type, topic, key, sequence, outbox, relay, lane, token, broker, consumer group, position,
        handler, parked key, dead event, replica, owner, epoch, snapshot event, backfill, contract,
        schema version
    """
    assert {word.strip() for word in words.split(",")} <= set(written)


def test_log_lines_and_messages_that_the_pages_quote_exist() -> None:
    """What an operator is told to look for is what the code says."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(ROOT, "django_outbox").rglob("*.py"))
    for quoted in (
        "The broker takes nothing",
        "stopped reading",
        "Retry now",
        "Retry the keys of these messages now",
    ):
        assert quoted in page("docs/howto/trouble.md")
        assert quoted in source


def test_no_page_runs_a_command_that_does_not_exist() -> None:
    """What follows ``manage.py`` is a command of this package, or one of Django's."""
    texts = [
        page("README.md"),
        *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")),
    ]
    named = {name for text in texts for name in re.findall(r"manage\.py ([a-z]+_[a-z]+)", text)}
    assert named
    assert named <= set(COMMANDS)
