"""What both services have in common: the frame of a Django project, nothing of their domains."""

import os
from pathlib import Path
from typing import Any

from .environment import flag, kafka, secret_key, words

PROJECT_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("EXAMPLE_DATA_DIR") or PROJECT_DIR / "data")

DEBUG = flag("DJANGO_DEBUG", default=True)
EXAMPLE_DEMO = flag("EXAMPLE_DEMO", default=False)
SECRET_KEY = secret_key(insecure_allowed=DEBUG or EXAMPLE_DEMO)
ALLOWED_HOSTS = words("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = words("DJANGO_CSRF_TRUSTED_ORIGINS", "http://localhost:8080,http://127.0.0.1:8080")

# Where a browser finds the two services; behind the gateway both are one address.
EXAMPLE_MONOLITH_URL = os.environ.get("EXAMPLE_MONOLITH_URL", "http://localhost:8000").rstrip("/")
EXAMPLE_CATALOG_URL = os.environ.get("EXAMPLE_CATALOG_URL", "http://localhost:8001").rstrip("/")

FRAME_APPS = [
    "example_project.frame",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_outbox",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_ROOT = os.environ.get("EXAMPLE_STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = True

CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SYNC_EVERY = 1  # last_run_at is written at once, and shows that beat is alive
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True


def outbox(service: str) -> dict[str, Any]:
    """``DJANGO_OUTBOX`` of a service. ``OUTBOX_WAKE_UP=0`` suits it where a relay runs."""
    options: dict[str, Any] = {
        "SERVICE": service,
        "KAFKA": kafka(),
        "WAKE_UP": flag("OUTBOX_WAKE_UP", default=True),
    }
    if os.environ.get("OUTBOX_SWEEP_SECONDS"):
        options["SWEEP_SECONDS"] = int(os.environ["OUTBOX_SWEEP_SECONDS"])
    if os.environ.get("EXAMPLE_RELAY_TOKEN_SECONDS"):
        token_seconds = float(os.environ["EXAMPLE_RELAY_TOKEN_SECONDS"])
        options["RELAY_TOKEN_SECONDS"] = token_seconds
        options["PUBLISH_SECONDS"] = token_seconds - 2  # a token must outlive the wait for the broker
    return options


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("EXAMPLE_LOG_LEVEL", "INFO")},
    # Four lines a second from each client while the broker is away; what matters is said once anyway.
    "loggers": {"django_outbox.brokers.librdkafka": {"level": "WARNING"}},
}
