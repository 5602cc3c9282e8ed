"""Registering handlers: what is accepted, what is refused and how it is said."""

import pytest

from django_outbox import handles, handles_batch
from django_outbox.consumer.appliers import register_applier
from django_outbox.consumer.handlers import Registry, problems
from django_outbox.events import Event


def event(type_: str, topic: str = "shop.product", **changes: object) -> Event:
    values: dict[str, object] = {
        "id": "1",
        "type": type_,
        "topic": topic,
        "key": "k",
        "sequence": 1,
        "epoch": 1,
        "version": 1,
        "operation": "updated",
        "payload": {},
        "source": "/shop",
        "time": None,
    }
    return Event(**{**values, **changes})  # type: ignore[arg-type]


def test_the_decorator_gives_the_function_back() -> None:
    """A handler stays a plain function that tests may call."""

    def react(event: Event) -> str:
        return "called"

    assert handles("shop.product.*")(react) is react
    assert problems() == []


def test_patterns_match_types_of_their_topic(handlers: Registry) -> None:
    """A word or a star after the topic; of a foreign type the last word counts."""

    @handles("shop.product.*", group="all")
    @handles("shop.product.created", group="one")
    def react(event: Event) -> None: ...

    def groups(one: Event) -> list[str]:
        return [group for group in ("all", "one") if handlers.matching(one, group)]

    assert groups(event("shop.product.created")) == ["all", "one"]
    assert groups(event("shop.product.deleted")) == ["all"]
    assert groups(event("com.acme.created")) == ["all", "one"]
    assert groups(event("shop.product.created", topic="shop.product2")) == []
    assert groups(event("shop.product.created", replayed=True)) == []
    assert groups(event("shop.product.created", snapshot=True)) == []


def test_groups_and_topics(handlers: Registry) -> None:
    """A handler without a group belongs to the service's; copies do too."""

    @handles("shop.product.*", "shop.market.created")
    def react(event: Event) -> None: ...

    @handles_batch("shop.product.*", group="search")
    def index(events: list[Event]) -> None: ...

    register_applier("depot.item", [1], lambda event, using: None)
    assert handlers.groups() == ["search", "shop"]
    assert handlers.topics("shop") == ["depot.item", "shop.market", "shop.product"]
    assert handlers.topics("search") == ["shop.product"]


def test_the_group_of_the_service_is_resolved_late(handlers: Registry, settings) -> None:
    """Handlers are registered at import, before settings may be asked for."""

    @handles("shop.product.*")
    def react(event: Event) -> None: ...

    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "SERVICE": "other"}
    assert handlers.groups() == ["other"]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("product", "a pattern has a topic, a dot and a word"),
        ("*.product.created", "the topic cannot hold a wildcard"),
        ("shop.*.created", "the topic cannot hold a wildcard"),
        ("shop.product.crea*", "a whole word or '*'"),
        ("shop.product.", "a pattern has a topic, a dot and a word"),
        ("shop/product.created", "a topic holds letters"),
        (7, "a pattern is text"),
    ],
)
def test_bad_patterns_are_named(handlers: Registry, pattern: str, says: str) -> None:
    """A pattern that could never match is a problem, with an example of a good one."""
    handles(pattern)(lambda event: None)
    ((message, hint, _),) = problems()
    assert says in message
    assert "'shop.product.*'" in hint
    assert handlers.groups() == []


def test_wrong_functions_are_named() -> None:
    """A handler takes one argument, is a function and is no coroutine or generator."""

    def none() -> None: ...

    def two(event: Event, using: str) -> None: ...

    def keyword(event: Event, *, using: str) -> None: ...

    async def later(event: Event) -> None: ...

    def yields(event: Event):
        yield

    for function in (none, two, keyword, later, yields, "text"):
        handles("shop.product.*")(function)  # type: ignore[type-var]
    messages = [message for message, _, _ in problems()]
    assert len(messages) == 6
    assert "none() -> None must take one argument, the event" in messages[0]
    assert "missing a required argument: 'using'" in messages[1]
    assert "missing a required" in messages[2]
    assert "is async" in messages[3]
    assert "is a generator" in messages[4]
    assert "'text' is no function" in messages[5]


def test_a_forgotten_pattern_is_named() -> None:
    """@handles without parentheses, or with empty ones, is a problem and no traceback."""

    def react(event: Event) -> None: ...

    assert handles(react) is react  # type: ignore[arg-type]
    handles()(react)
    messages = [message for message, _, _ in problems()]
    assert "has no pattern" in messages[0]
    assert "registered for nothing" in messages[1]


def test_wrong_options_are_named() -> None:
    """on_failure and versions have known values."""

    def react(event: Event) -> None: ...

    handles("shop.product.*", on_failure="ignore")(react)  # type: ignore[arg-type]
    handles("shop.product.*", versions=["1"])(react)  # type: ignore[list-item]
    handles("shop.product.*", versions=1)(react)  # type: ignore[arg-type]
    messages = [message for message, _, _ in problems()]
    assert "versions=['1']" in messages[2]
    assert "on_failure='ignore'" in messages[0]
    assert "versions=['1']" in messages[1]


def test_one_name_registered_twice_is_a_problem(handlers: Registry) -> None:
    """The same function name for the same pattern and group runs twice by accident (trap 44)."""

    def make():
        def react(event: Event) -> None: ...

        return react

    handles("shop.product.*")(make())
    handles("shop.product.*", group="search")(make())
    assert problems() == []
    handles("shop.product.*")(make())
    ((message, _, _),) = problems()
    assert "registered twice for 'shop.product.*'" in message
    assert len(handlers.handlers()) == 2
