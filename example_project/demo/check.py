"""``--check``: uses both services as their users would, breaks things on purpose, then counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any
from urllib.parse import urlencode

from . import ledger
from .stack import SERVICES, Stack
from .supervisor import Found
from .terminal import DemoFailed, duration

__all__ = ["Check"]

SEEN_SECONDS = 30
OUTAGE_PRODUCTS = 50
KILL_PRODUCTS = 100  # each is made and renamed: two events
CONSUMER_DIES_AT, RELAY_DIES_AT = 70, 120
SAMPLE_PRODUCTS = 200
ADD_FORM = "/admin/products/product/add/"
COPIES = "/catalog/api/v1/products"
OUTBOX = "SELECT topic, key, sequence, event_id FROM django_outbox_outboxevent ORDER BY id"
HISTORIES = {
    "shop.product": ("catalog", "shop_copy_producthistory"),
    "catalog.entry": ("monolith", "catalog_copy_entryhistory"),
}
HISTORY = "SELECT type, key, sequence, event_id FROM {} ORDER BY id"


class Check:
    """One run of all steps against a stack that is up; the first fault ends it."""

    def __init__(self, stack: Stack, began: float) -> None:
        self._stack = stack
        self._screen = stack.screen
        self._monolith = stack.monolith
        self._catalog = stack.catalog
        self._began = began
        self._changes: list[float] = []

    def run(self) -> None:
        """Every step, then the figures; raises ``DemoFailed`` for what went wrong."""
        self._sample_arrives()
        self._screen.heading("A person changes things")
        product = self._product_by_admin_form()
        self._product_renamed(product)
        self._entries_travel_back(product)
        self._product_discontinued(product)
        self._product_deleted(product)
        self._screen.heading("Things break")
        self._broker_goes_away()
        self._processes_are_killed()
        self._screen.heading("The books, read by SQL and by a plain Kafka consumer")
        self._books()

    def _sample_arrives(self) -> None:
        with self._screen.step("sample data", "products there, entries back"):
            self._seen("the sample's products arrive", lambda: self._copies("") == SAMPLE_PRODUCTS)
            self._stack.load_catalog()
            made = self._catalog.fetch("/catalog/api/v1?limit=1")["count"]
            self._seen("the sample's entries arrive", lambda: self._old_catalog() == made)

    def _product_by_admin_form(self) -> str:
        """Make one as a person does, and give its key."""
        site = self._monolith
        login = site.form(f"/admin/login/?next={ADD_FORM}", holding="password")
        site.expect(site.submit(login, username="admin", password="pass"), 200)
        form = site.form(ADD_FORM, holding="product_category")
        with self._change("created in the monolith's admin"):
            answer = site.expect(site.submit(form, name="Checked kettle", product_category="Kitchen"), 200)
            if answer.url.endswith(ADD_FORM):
                raise DemoFailed("The admin did not take the new product; it showed its form again.")
            self._seen("the new product", lambda: self._copies("Checked kettle"))
        return str(self._catalog.fetch(f"{COPIES}?name=Checked%20kettle")["items"][0]["product_uuid"])

    def _product_renamed(self, product: str) -> None:
        with self._change("renamed through the API"):
            self._patch(product, name="Checked teapot")
            self._seen("the new name", lambda: self._copy(product).get("name") == "Checked teapot")

    def _entries_travel_back(self, product: str) -> None:
        entry: dict[str, Any] = {"product": product, "market": "DE", "availability_date": "2026-01-01"}
        with self._change("entry created in the catalog service"):
            self._catalog.expect(self._catalog.send("POST", "/catalog/api/v1", entry), 201)
            self._seen("the entry in /api/v1/catalog", lambda: self._old_catalog(product) == 1)
        with self._change("entry created through the old API"):
            self._monolith.expect(
                self._monolith.send("POST", "/api/v1/catalog", entry | {"market": "FR"}), 201
            )
            self._seen("the entry of the old API", lambda: self._old_catalog(product) == 2)

    def _product_discontinued(self, product: str) -> None:
        with self._change("discontinued through the API"):
            self._patch(product, discontinued=True)
            self._seen("that it is discontinued", lambda: self._copy(product).get("discontinued") is True)

    def _product_deleted(self, product: str) -> None:
        with self._change("deleted through the API, with entries"):
            self._monolith.expect(self._monolith.send("DELETE", f"/api/v1/product/{product}"), 204)
            self._seen("that it is gone", lambda: self._catalog.get(f"{COPIES}/{product}").status == 404)
            self._seen("that its entries are gone", lambda: self._old_catalog(product) == 0)

    def _broker_goes_away(self) -> None:
        with self._screen.step("broker down", self._stack.servers.title[0].partition(",")[0]):
            self._stack.servers.broker_down()
        with self._screen.step(f"{OUTAGE_PRODUCTS} products meanwhile", "no request failed"):
            for number in range(OUTAGE_PRODUCTS):
                self._create(f"Outage {number}")
            if arrived := self._copies("Outage"):
                raise DemoFailed(f"{arrived} products arrived while the broker was down: it was not down.")
        with self._screen.step("broker up", "the same log"):
            self._stack.servers.broker_up()
        with self._screen.step(f"all {OUTAGE_PRODUCTS} seen", "after the broker was back"):
            self._seen("all products of the outage", lambda: self._copies("Outage") == OUTAGE_PRODUCTS)

    def _processes_are_killed(self) -> None:
        victims = {CONSUMER_DIES_AT: "catalog consumer", RELAY_DIES_AT: "monolith relay"}
        done = 0
        with self._screen.step(f"{2 * KILL_PRODUCTS} events", "relay and consumer killed with -9"):
            made = []
            for step in range(2 * KILL_PRODUCTS):
                self._kill(victims.get(step))
                if step % 2 == 0:
                    made.append(self._create(f"Killed {done}"))
                else:
                    self._patch(made[-1], name=f"Survived {done}")
                    done += 1
        with self._screen.step(f"all {2 * KILL_PRODUCTS} handled", "after the last request"):
            self._seen(
                "all products in spite of the kills", lambda: self._copies("Survived") == KILL_PRODUCTS
            )

    def _kill(self, name: str | None) -> None:
        """Kill a process that has work behind it and before it; start again who was killed before."""
        if name:
            self._seen("the first of these events", lambda: any(map(self._copies, ("Killed", "Survived"))))
            self._stack.supervisor[name].kill()
        self._stack.supervisor.look_after()

    def _books(self) -> None:
        with self._screen.step("histories", "nothing twice, missing or out of order"):
            recorded = self._recorded()
            expected = [entry for entry in recorded if entry.topic in HISTORIES]
            self._seen("all events in its history", lambda: len(self._handled()) >= len(expected))
            handled = self._handled()
            _none(ledger.handled_faults(handled, expected))
        with self._screen.step("topics", "every key without a hole"):
            published = ledger.read_topics(self._stack.servers.bootstrap, sorted({e.topic for e in recorded}))
            _none(ledger.topic_faults(published, recorded))
        self._figures(len(recorded), len(handled), len(published))

    def _figures(self, recorded: int, handled: int, published: int) -> None:
        screen, times = self._screen, sorted(self._changes)
        change = f"{duration(median(times))}, the slowest {duration(times[-1])}"
        screen.heading("Figures")
        rows = {
            "events recorded": str(recorded),
            "messages in the topics": f"{published}, {published - recorded} of them repeated",
            "lines in the histories": f"{handled} (markets have none)",
            "a change seen by the other service": change,
            "in all": duration(time.monotonic() - self._began),
        }
        for name, value in rows.items():
            screen.line(f"  {name:<42}{value}")

    @contextmanager
    def _change(self, what: str) -> Iterator[None]:
        """A step whose time counts among the changes that a person makes."""
        began = time.monotonic()
        with self._screen.step(what, "seen by the other service"):
            yield
        self._changes.append(time.monotonic() - began)

    def _seen(self, what: str, condition: Callable[[], Found]) -> Found:
        logs = self._stack.logs("relay", "consumer")
        return self._stack.wait(condition, SEEN_SECONDS, f"the other service shows {what}", *logs)

    def _create(self, name: str) -> str:
        answer = self._monolith.send("POST", "/api/v1/product", {"name": name, "product_category": "Checks"})
        return str(self._monolith.expect(answer, 201).json["product_uuid"])

    def _patch(self, product: str, **changes: object) -> None:
        self._monolith.expect(self._monolith.send("PATCH", f"/api/v1/product/{product}", changes), 200)

    def _copies(self, name: str) -> int:
        """How many products whose names contain ``name`` the catalog service shows."""
        return int(self._catalog.fetch(f"{COPIES}?{urlencode({'name': name, 'limit': 1})}")["count"])

    def _copy(self, product: str) -> dict[str, Any]:
        found: dict[str, Any] = self._catalog.fetch(f"{COPIES}/{product}")
        return found

    def _old_catalog(self, product: str = "") -> int:
        """How many entries the monolith's ``/api/v1/catalog`` shows."""
        return int(
            self._monolith.fetch(f"/api/v1/catalog?{urlencode({'product': product, 'page_size': 1})}")[
                "count"
            ]
        )

    def _recorded(self) -> list[ledger.Entry]:
        """Every event in the outboxes of both services."""
        urls = map(self._stack.servers.database_url, SERVICES)
        return [entry for url in urls for entry in ledger.entries(ledger.query(url, OUTBOX))]

    def _handled(self) -> list[ledger.Entry]:
        """Every line of both histories, in the order in which they were written."""
        url = self._stack.servers.database_url
        return [
            ledger.Entry(entry.topic.rpartition(".")[0], *entry[1:])
            for service, table in HISTORIES.values()
            for entry in ledger.entries(ledger.query(url(service), HISTORY.format(table)))
        ]


def _none(faults: list[str]) -> None:
    if faults:
        raise DemoFailed("; ".join(faults) + ".")
