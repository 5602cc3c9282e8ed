"""The catalog service of the example, with a server that ends a frozen consumer's transaction soon."""

from example_project.settings.catalog import *  # noqa: F403
from example_project.settings.catalog import DJANGO_OUTBOX as _OUTBOX

# Longer than the session time-out: who takes over meets the frozen one's lock.
DJANGO_OUTBOX = {**_OUTBOX, "HANDLER_SECONDS": 8}
