"""What the monolith does with the events of the catalog service, beside its copy."""

from django_outbox import Event, handles

from .models import EntryHistory


@handles("catalog.entry.*")
def append_to_history(event: Event) -> None:
    """Not idempotent on purpose: were an event handled twice, the history would show it."""
    entry = event.payload
    text = f"{event.operation}: {entry['product']} in {entry['market']} from {entry['availability_date']}"
    EntryHistory.append(event, text)
