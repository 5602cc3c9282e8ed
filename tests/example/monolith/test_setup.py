"""The first start of a service."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django_celery_beat.models import PeriodicTask

from example_project.monolith.products.models import Product


@pytest.mark.django_db
def test_setup_may_be_repeated(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    """A second first start changes nothing: one admin, one sample, one schedule."""
    settings.DEBUG = True
    monkeypatch.setenv("EXAMPLE_ADMIN_PASSWORD", "pass")
    for _ in range(2):
        call_command("example_setup", verbosity=0)
    admin = User.objects.get()
    assert admin.is_superuser
    assert admin.check_password("pass")
    assert Product.objects.count() == 200
    tasks = list(PeriodicTask.objects.values_list("task", flat=True))
    assert tasks.count("django_outbox.publish_unsent") == 1


@pytest.mark.django_db
def test_no_admin_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets a known password unasked."""
    monkeypatch.delenv("EXAMPLE_ADMIN_PASSWORD", raising=False)
    call_command("example_setup", verbosity=0)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_password_from_the_environment_is_for_demonstrations_only(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Without DEBUG the known password is refused; a demonstration takes it with a warning."""
    monkeypatch.setenv("EXAMPLE_ADMIN_PASSWORD", "pass")
    settings.DEBUG, settings.EXAMPLE_DEMO = False, False
    with pytest.raises(CommandError, match="EXAMPLE_DEMO=1"):
        call_command("example_setup", verbosity=0)
    assert not User.objects.exists()
    settings.EXAMPLE_DEMO = True
    call_command("example_setup", verbosity=0)
    assert User.objects.exists()
    assert "known to all" in caplog.text
