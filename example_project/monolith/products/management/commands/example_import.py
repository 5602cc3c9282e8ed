"""``manage.py example_import`` of the monolith: its sample of markets and products."""

from typing import Any

from django.core.management import BaseCommand

from example_project.monolith.products import sample


class Command(BaseCommand):
    help = "Creates the sample of markets and products, once."

    def handle(self, *args: Any, **options: Any) -> None:
        count = sample.load()
        if options["verbosity"]:
            self.stdout.write(f"{count} products imported." if count else "The sample is there already.")
