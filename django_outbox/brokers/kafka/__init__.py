"""Kafka, by way of confluent-kafka (librdkafka)."""

from .cluster import KafkaBroker
from .handles import option_problems

__all__ = ["KafkaBroker", "option_problems"]
