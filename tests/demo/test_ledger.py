"""The books of ``--check`` can say no."""

import pytest

from example_project.demo.ledger import Entry, entries, handled_faults, query, topic_faults


def lines(*numbers: int, key: str = "a") -> list[Entry]:
    return [Entry("shop.product", key, number, f"{key}{number}") for number in numbers]


def test_a_history_that_is_like_the_outbox_has_no_fault():
    """Keys may interleave in any way as long as each is in order."""
    recorded = lines(1, 2) + lines(1, key="b")
    assert handled_faults(lines(1) + lines(1, key="b") + lines(2), recorded) == []


@pytest.mark.parametrize(
    ("handled", "fault"),
    [
        (lines(1, 2, 2), "shop.product key a #2 was handled 2 times"),
        (lines(1), "shop.product key a #2 was never handled"),
        (lines(1, 2, 3), "shop.product key a #3 was handled and never recorded"),
        (lines(2, 1), "shop.product key a #1 was handled after #2"),
    ],
)
def test_each_fault_of_a_history_is_named(handled, fault):
    """Twice, missing, invented, out of order: one fault each, with its place."""
    assert handled_faults(handled, lines(1, 2)) == [fault]


def test_a_repeat_in_a_topic_is_no_fault():
    """After a crash the run may be repeated from any event; consumers drop the repeats."""
    assert topic_faults(lines(1, 2, 1, 2, 3), lines(1, 2, 3)) == []


@pytest.mark.parametrize(
    ("published", "faults"),
    [
        (lines(1, 3, 2), ["shop.product key a #3 comes after #1"]),
        (lines(2, 1, 3), ["shop.product key a #2 comes after #0"]),
        (lines(1, 2), ["shop.product key a #3 is not in the topic"]),
    ],
)
def test_each_fault_of_a_topic_is_named(published, faults):
    """A hole is one even where the missing number comes later."""
    assert topic_faults(published, lines(1, 2, 3)) == faults


def test_many_faults_are_shortened():
    """Two hundred lines would hide the first ones."""
    faults = handled_faults([], lines(*range(1, 21)))
    assert len(faults) == 4
    assert faults[-1] == "and 17 more like these"


def test_a_database_is_read_without_our_code(tmp_path):
    """By the URL that the services get; UUIDs in either spelling are the same event."""
    import sqlite3

    with sqlite3.connect(tmp_path / "service.sqlite3") as connection:
        connection.execute("CREATE TABLE events (topic, key, sequence, event_id)")
        connection.execute(
            "INSERT INTO events VALUES ('shop.product', 'a', 7, '0197a1b2c3d47e5f8a9b0c1d2e3f4a5b')"
        )
    connection.close()
    found = entries(query(f"sqlite:///{tmp_path}/service.sqlite3", "SELECT * FROM events"))
    assert found == [Entry("shop.product", "a", 7, "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]
