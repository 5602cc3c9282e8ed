"""Django's ``runserver`` on the port of the service."""

from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as Runserver


class Command(Runserver):
    default_port = str(settings.EXAMPLE_PORT)
