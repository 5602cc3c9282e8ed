"""Settings of the library's own tests. ``OUTBOX_TEST_DATABASE_URL`` names another database than SQLite."""

import os
import tempfile
from pathlib import Path

import dj_database_url

SECRET_KEY = "tests only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_outbox",
    "tests.copies",
    "tests.shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others take a second each

_URL = os.environ.get("OUTBOX_TEST_DATABASE_URL", "")
_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


if _URL.startswith("mysql:"):
    import pymysql

    pymysql.install_as_MySQLdb()


def _database(name: str) -> dict[str, object]:
    if _URL:
        config = dict(dj_database_url.parse(_URL))
        return {**config, "TEST": {"NAME": f"test_{name}_{os.getpid()}"}}
    test = {"NAME": str(Path(tempfile.gettempdir(), f"outbox_{name}_{os.getpid()}.sqlite3"))}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{name}.sqlite3",
        "OPTIONS": _SQLITE,
        "TEST": test,
    }


DATABASES = {"default": _database("default"), "other": _database("other")}

DJANGO_OUTBOX = {"SERVICE": "shop", "BROKER": "memory"}
CELERY_BROKER_URL = None
