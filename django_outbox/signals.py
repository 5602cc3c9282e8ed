"""Django signals of an event's way. Receivers get ``event``, an ``Event``.

``event_recorded``: inside the business transaction, after the row of the outbox was written;
an exception fails the transaction. Also gets ``using``.
``event_published``: after the broker acknowledged it and it was marked sent. May be sent twice
for one event after a crash. Also gets ``using``.
``event_handled``: inside the consumer's transaction, after the handlers of the event ran. Also
gets ``group``.
``event_parked``: after the transaction that put the event aside. Also gets ``group``, ``error``.

The sender is the ``OutboxEvent`` model for the owner's signals and the ``Event`` class for the
consumer's.
"""

from django.dispatch import Signal

event_recorded = Signal()
event_published = Signal()
event_handled = Signal()
event_parked = Signal()
