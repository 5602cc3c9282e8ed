"""``manage.py example_import`` of the catalog service: its sample of entries."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from example_project.catalog.entries import sample


class Command(BaseCommand):
    help = "Creates the sample of catalog entries, once, as soon as the shop's products have arrived."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--products", type=int, default=200, help="products to wait for (default 200)")
        parser.add_argument("--markets", type=int, default=8, help="markets to wait for (default 8)")
        parser.add_argument("--wait", type=float, default=60, help="seconds to wait for them (default 60)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = sample.load(
                products=options["products"], markets=options["markets"], wait_seconds=options["wait"]
            )
        except sample.CopiesMissing as error:
            hint = "Do the shop's relay (publish_events) and this service's consumer (consume_events) run?"
            raise CommandError(f"{error} {hint}") from error
        if options["verbosity"]:
            self.stdout.write(f"{count} entries imported." if count else "The sample is there already.")
