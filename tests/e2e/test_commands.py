"""How the long-running commands wait for a broker, and how they end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from example_project.demo.ports import HOST, choose
from example_project.demo.supervisor import Child
from tests.example.processes import until

from .stack import SECONDS, Stack
from .writing import renaming

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STARTING_SECONDS = 10  # of an interpreter with Django, on a busy machine
ROLES = ("monolith relay", "catalog consumer")


@pytest.fixture(scope="module")
def nowhere() -> dict[str, str]:
    """The address of a broker that does not exist."""
    return {"KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{choose({'nowhere': 0})['nowhere']}"}


def test_commands_wait_for_the_broker_and_say_so(stack: Stack) -> None:
    """P2: started while there is no broker, relay and consumer say that they wait; SIGTERM ends them
    with 0 meanwhile, though an event is there that cannot go out; once there is a broker, they work."""
    stack.kafka.stop()
    for name in ROLES:
        stack.kill(name)
    key = stack.create("Awaited")
    early, given_up = ([f"{name} {word}" for name in ROLES] for word in ("early", "given-up"))
    for name in early + given_up:
        stack.start(name)
    for relay, consumer in (early, given_up):
        until(lambda name=relay: "The broker does not answer" in stack.said(name), SECONDS, "it says so")
        until(lambda name=consumer: "No broker answers" in stack.said(name), SECONDS, "it says so")
    assert [stack.stop(name) for name in given_up] == [0, 0]
    assert not stack.all_sent([key])
    stack.kafka.start()
    stack.await_published([key])
    stack.await_handled([key])
    assert [stack.stop(name) for name in early] == [0, 0]


def test_commands_end_at_sigterm_when_idle(stack: Stack) -> None:
    """Exit code 0 within five seconds, beside others of their kind."""
    names = [f"{name} idle" for name in ROLES]
    for name in names:
        stack.start(name)
    until(lambda: "Publishing" in stack.said(names[0]), SECONDS, "the relay is up")
    until(lambda: "was given" in stack.said(names[1]), SECONDS, "the consumer has partitions")
    key = stack.create("Idle")
    stack.await_handled([key])
    assert [stack.stop(name) for name in names] == [0, 0]


def test_commands_end_at_sigterm_when_busy(stack: Stack) -> None:
    """Exit code 0 within five seconds in a stream of events, of which none is lost or handled twice."""
    keys = [stack.create(f"Busy {number}") for number in range(6)]
    with renaming(stack, keys) as writing:
        until(lambda: len(stack.history(keys)) >= 20, SECONDS, "events flow")
        assert [stack.stop(name) for name in ROLES] == [0, 0]
        done = len(writing.took)
        until(lambda: len(writing.took) > done + 20, SECONDS, "users go on")
        for name in ROLES:
            stack.resume(name)
    stack.await_published(keys)
    stack.await_handled(keys)


def test_publish_once_without_a_broker_ends_and_says_why(stack: Stack, nowhere: dict[str, str]) -> None:
    """Exit code 1 within thirty seconds; the event stays where it is."""
    assert stack.stop("monolith relay") == 0
    key = stack.create("Not yet")
    child = stack.start("monolith publish-once", **nowhere)
    until(lambda: child.exit_code is not None, 30, "publish_events --once ends")
    assert child.exit_code == 1
    assert "the broker takes nothing" in stack.said(child.name)
    assert not stack.all_sent([key])


def test_once_with_a_broker_does_all_there_is(stack: Stack) -> None:
    """Exit code 0 of both; what was recorded before is in the history after."""
    for name in ROLES:
        assert stack.stop(name) == 0
    key = stack.create("At once")
    for name in ("monolith publish-once", "catalog consume-once"):
        child = stack.start(name)
        until(lambda child=child: child.exit_code is not None, SECONDS, f"{name} ends")
        assert child.exit_code == 0, stack.said(name)
    assert stack.published([key]) == stack.recorded([key])
    assert stack.history([key]) == stack.recorded([key])


@pytest.fixture(scope="module", autouse=True)
def consumed_once(whole: Stack, nowhere: dict[str, str]) -> Iterator[tuple[Child, float]]:
    """``consume_events --once`` without a broker: begun before the other tests, since it is patient."""
    began = time.time()
    child = whole.apart("catalog consume-once nowhere", **nowhere)
    yield child, began
    child.kill()
    child.close()


def test_consume_once_without_a_broker_ends_and_says_why(consumed_once: tuple[Child, float]) -> None:
    """Exit code 1 once its patience of 25 seconds is over, and the reason."""
    child, began = consumed_once
    until(lambda: child.exit_code is not None, 40, "consume_events --once ends")
    assert child.exit_code == 1
    assert "No broker answered within 25 s; nothing was consumed." in child.log.read_text()
    assert child.log.stat().st_mtime - began < 25 + STARTING_SECONDS
