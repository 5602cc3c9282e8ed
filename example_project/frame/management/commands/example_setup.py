"""``manage.py example_setup``: everything that a service needs before its first start."""

import logging
import os
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Migrates, schedules the periodic tasks, makes the admin user, imports the sample; idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        password = _admin_password()
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        call_command("outbox_schedule", verbosity=options["verbosity"])
        if password:
            self._make_admin(os.environ.get("EXAMPLE_ADMIN_USER", "admin"), password)
        if settings.EXAMPLE_IMPORT_AT_SETUP:
            call_command("example_import", verbosity=options["verbosity"])

    def _make_admin(self, name: str, password: str) -> None:
        users = get_user_model()._default_manager
        if users.filter(username=name).exists():
            return
        users.create_superuser(name, password=password)  # type: ignore[attr-defined]
        self.stdout.write(f"Admin user {name!r} made.")


def _admin_password() -> str:
    """The password of the admin user to be made, or nothing when none is asked for."""
    password = os.environ.get("EXAMPLE_ADMIN_PASSWORD", "")
    if not password or settings.DEBUG:
        return password
    if not settings.EXAMPLE_DEMO:
        raise CommandError(
            "EXAMPLE_ADMIN_PASSWORD is set while DJANGO_DEBUG is 0: a password from the environment is for "
            "demonstrations only. Unset it and run createsuperuser, or set EXAMPLE_DEMO=1 if this is one."
        )
    logger.warning(
        "EXAMPLE_DEMO=1: the admin user gets the password of EXAMPLE_ADMIN_PASSWORD, known to all."
    )
    return password
