"""``manage.py outbox_schedule``: the periodic tasks, in django-celery-beat."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from django_outbox.conf import get_settings

SNIPPET = """\
django_celery_beat is not in INSTALLED_APPS. Add it (pip install "django-outbox[beat]"), or put this
into your Celery settings instead:

CELERY_BEAT_SCHEDULE = {{
    "django_outbox.publish_unsent": {{"task": "django_outbox.publish_unsent", "schedule": {sweep}}},
    "django_outbox.prune_events": {{"task": "django_outbox.prune_events", "schedule": {prune}}},
}}"""


class Command(BaseCommand):
    help = (
        "Installs the periodic retry and the pruning in django-celery-beat. May be run again at any time; "
        "a task that was switched off stays off."
    )

    def handle(self, *, verbosity: int, **_: Any) -> None:
        settings = get_settings()
        if not apps.is_installed("django_celery_beat"):
            raise CommandError(SNIPPET.format(sweep=settings.sweep_seconds, prune=settings.prune_seconds))
        from django_celery_beat.models import IntervalSchedule, PeriodicTask

        every = {
            "django_outbox.publish_unsent": settings.sweep_seconds,
            "django_outbox.prune_events": settings.prune_seconds,
        }
        for name, seconds in every.items():
            interval = {"every": seconds, "period": IntervalSchedule.SECONDS}
            schedule = IntervalSchedule.objects.filter(**interval).first()
            schedule = schedule or IntervalSchedule.objects.create(**interval)
            defaults = {"task": name, "interval": schedule, "expire_seconds": max(seconds, 10)}
            PeriodicTask.objects.update_or_create(name=name, defaults=defaults)
            if verbosity > 0:
                self.stdout.write(f"{name} runs every {seconds} s.")
