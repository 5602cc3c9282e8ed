"""The functions that react to events, and how they are found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from django.utils.module_loading import autodiscover_modules

from ..events import Event
from .appliers import topics_applied
from .groups import default_group

__all__ = ["Handler", "Registry", "autodiscover", "handles", "handles_batch", "problems", "registry"]

OnFailure = Literal["hold", "skip"]
Problem = tuple[str, str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_EXAMPLE = "Write it as a topic, a dot and one word or '*', such as 'shop.product.*'."


@dataclass(frozen=True, slots=True)
class Handler:
    """One registered function. ``group`` None stands for the service's own."""

    function: Any  # callable, once it was registered
    name: str
    patterns: tuple[str, ...]
    group: str | None
    versions: frozenset[int] | None
    snapshots: bool
    replays: bool
    on_failure: OnFailure
    batch: bool

    @property
    def topics(self) -> set[str]:
        return {pattern.rpartition(".")[0] for pattern in self.patterns}

    def reads(self, event: Event) -> bool:
        """Whether the event's type and kind are of this handler, whatever its version."""
        if (event.snapshot and not self.snapshots) or (event.replayed and not self.replays):
            return False
        wanted = {f"{event.topic}.*", f"{event.topic}.{event.word}"}
        return not wanted.isdisjoint(self.patterns)

    def accepts(self, version: int) -> bool:
        return self.versions is None or version in self.versions


class Registry:
    """The handlers of this process, in the order in which they were registered."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._problems: list[Problem] = []
        self._matching: dict[tuple[object, ...], tuple[Handler, ...]] = {}

    def add(self, handler: Handler) -> None:
        """Register it, unless something is wrong with it: that is noted for ``manage.py check``."""
        found = [*_pattern_problems(handler), *_function_problems(handler), *_option_problems(handler)]
        if not found:
            found = self._duplicates(handler)
        if found:
            self._problems += found
            return
        self._handlers.append(handler)
        self._matching.clear()

    def note(self, problem: Problem) -> None:
        self._problems.append(problem)

    def _duplicates(self, new: Handler) -> list[Problem]:
        return [
            (
                f"{new.name} is registered twice for {pattern!r} in group {new.group or 'of the service'!r}.",
                "Remove one registration, or give one of the two functions another name.",
                new.function,
            )
            for old in self._handlers
            if old.name == new.name and old.group == new.group
            for pattern in sorted(set(old.patterns) & set(new.patterns))
        ]

    def handlers(self, group: str | None = None) -> tuple[Handler, ...]:
        """All handlers, or those of ``group``."""
        if group is None:
            return tuple(self._handlers)
        return tuple(h for h in self._handlers if (h.group or default_group()) == group)

    def groups(self) -> list[str]:
        """The groups that have handlers; the service's own also when it has copies alone."""
        names = {handler.group or default_group() for handler in self._handlers}
        return sorted(names | ({default_group()} if topics_applied() else set()))

    def topics(self, group: str) -> list[str]:
        """What ``group`` must subscribe to."""
        found = {topic for handler in self.handlers(group) for topic in handler.topics}
        return sorted(found | (topics_applied() if group == default_group() else set()))

    def matching(self, event: Event, group: str) -> tuple[Handler, ...]:
        """The handlers of ``group`` that read the event's type and kind, whatever its version."""
        asked = (group, event.topic, event.word, event.snapshot, event.replayed)
        found = self._matching.get(asked)
        if found is None:
            found = tuple(handler for handler in self.handlers(group) if handler.reads(event))
            if len(self._matching) < 1000:  # types come from outside: bounded
                self._matching[asked] = found
        return found

    def problems(self) -> list[Problem]:
        return list(self._problems)

    @contextmanager
    def isolated(self) -> Iterator[Registry]:
        """Within it the registry is empty; afterwards it is what it was. For tests."""
        kept = self._handlers, self._problems
        self._handlers, self._problems = [], []
        self._matching.clear()
        try:
            yield self
        finally:
            self._handlers, self._problems = kept
            self._matching.clear()


registry = Registry()


def handles(
    *patterns: str,
    group: str | None = None,
    versions: Iterable[int] | None = None,
    snapshots: bool = False,
    replays: bool = False,
    on_failure: OnFailure = "hold",
) -> Callable[[F], F]:
    """Have the function called with each ``Event`` whose type fits one of ``patterns``.

    A pattern is a topic, a dot and a type's last word or ``*``. The function runs inside the
    consumer's transaction on the group's database alias: its effects there happen once per event.
    It may raise ``RetryLater``, ``Park`` or ``Drop``; anything else parks the event's key, to be
    tried again. After ``MAX_ATTEMPTS`` the key is held (``"hold"``), or the event passed over with
    a record of it (``on_failure="skip"``). ``versions`` None reads every schema version.
    ``snapshots`` and ``replays`` ask for events that no change of just now brought about.
    """
    return _register(patterns, group, versions, snapshots, replays, on_failure, batch=False)


def handles_batch(
    *patterns: str,
    group: str | None = None,
    versions: Iterable[int] | None = None,
    snapshots: bool = False,
    replays: bool = False,
    on_failure: OnFailure = "hold",
) -> Callable[[F], F]:
    """As ``handles``; the function gets a list of events, in order within each key.

    It runs after the single handlers of the same batch. When it raises it is called again with
    parts of the list, until the events that it cannot take are found.
    """
    return _register(patterns, group, versions, snapshots, replays, on_failure, batch=True)


def _register(
    patterns: Sequence[Any],
    group: str | None,
    versions: Iterable[int] | None,
    snapshots: bool,
    replays: bool,
    on_failure: OnFailure,
    *,
    batch: bool,
) -> Callable[[F], F]:
    decorator = "handles_batch" if batch else "handles"
    if len(patterns) == 1 and inspect.isfunction(patterns[0]):
        bare = patterns[0]
        message = f"@{decorator} of {_name(bare)} has no pattern."
        registry.note((message, f"Write @{decorator}('shop.product.*').", bare))
        return bare  # what the bare decorator must give back

    def register(function: F) -> F:
        registry.add(
            Handler(
                function=function,
                name=_name(function),
                patterns=tuple(patterns),
                group=group,
                versions=_versions(versions),
                snapshots=snapshots,
                replays=replays,
                on_failure=on_failure,
                batch=batch,
            )
        )
        return function

    return register


def _versions(given: Any) -> frozenset[Any] | None:
    """Whatever was given, as a set; what is no collection is found out later, without a traceback."""
    if given is None or isinstance(given, frozenset):
        return given
    return frozenset(given if isinstance(given, (list, tuple, set, range)) else [repr(given)])


def _name(function: object) -> str:
    qualified = getattr(function, "__qualname__", None)
    return f"{function.__module__}.{qualified}" if qualified else repr(function)


def _pattern_problems(handler: Handler) -> Iterator[Problem]:
    if not handler.patterns:
        yield (f"{handler.name} is registered for nothing.", _EXAMPLE, handler.function)
    for pattern in handler.patterns:
        reason = _pattern_reason(pattern)
        if reason:
            message = f"{handler.name} is registered for {pattern!r}: {reason}."
            yield (message, _EXAMPLE, handler.function)


def _pattern_reason(pattern: object) -> str:
    if not isinstance(pattern, str):
        return "a pattern is text"
    topic, _, word = pattern.rpartition(".")
    if not topic or not word:
        return "a pattern has a topic, a dot and a word"
    if "*" in topic:
        return "the topic cannot hold a wildcard, since a consumer subscribes to topics by name"
    if "*" in word and word != "*":
        return "the last word is a whole word or '*'"
    if not all(c.isascii() and (c.isalnum() or c in "._-") for c in topic):
        return "a topic holds letters, digits, '.', '_' and '-'"
    return ""


def _function_problems(handler: Handler) -> Iterator[Problem]:
    function, what = handler.function, "list of events" if handler.batch else "event"
    example = "index(events)" if handler.batch else "react(event)"
    hint = f"Write it as a plain function of the {what}: def {example}: ..."
    if not callable(function):
        yield (f"{handler.name} is no function.", hint, function)
        return
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        kind = "a generator" if inspect.isgeneratorfunction(function) else "async"
        yield (f"The handler {handler.name} is {kind}; nobody would run its body.", hint, function)
        return
    signature = inspect.signature(function)
    try:
        signature.bind(None)
    except TypeError as error:
        message = f"The handler {handler.name}{signature} must take one argument, the {what}: {error}."
        yield (message, hint, function)


def _option_problems(handler: Handler) -> Iterator[Problem]:
    if handler.on_failure not in ("hold", "skip"):
        message = f"The handler {handler.name} has on_failure={handler.on_failure!r}."
        yield (message, "Expected is 'hold' or 'skip'.", handler.function)
    versions: frozenset[Any] = handler.versions or frozenset()
    if not all(isinstance(version, int) and version > 0 for version in versions):
        message = f"The handler {handler.name} has versions={sorted(map(str, versions))}."
        yield (message, "Expected is a list of whole numbers from 1, or None for all.", handler.function)


def problems() -> list[Problem]:
    """What is wrong with the registrations: message, hint and the function of each."""
    return registry.problems()


def autodiscover() -> None:
    """Import the module ``handlers`` of every installed app that has one."""
    autodiscover_modules("handlers")
