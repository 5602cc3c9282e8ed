"""Gathers the tables for Django; each wing keeps its own."""

from .consumer.models import ConsumerKey, ParkedMessage, Position, WaitingChild
from .producer.models import BackfillRun, HeldKey, Lane, OutboxEvent, OutboxKey, OutboxTopic, Relay

__all__ = [
    "BackfillRun",
    "ConsumerKey",
    "HeldKey",
    "Lane",
    "OutboxEvent",
    "OutboxKey",
    "OutboxTopic",
    "ParkedMessage",
    "Position",
    "Relay",
    "WaitingChild",
]
