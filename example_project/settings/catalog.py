"""The catalog service, which owns the catalog entries."""

from .base import *  # noqa: F403
from .base import DATA_DIR, FRAME_APPS, outbox
from .environment import celery_broker, database

EXAMPLE_PORT = 8001
EXAMPLE_IMPORT_AT_SETUP = False  # its sample needs the copies, which arrive once the consumer runs

INSTALLED_APPS = [
    *FRAME_APPS,
    "ninja",
    "example_project.catalog.shop_copy",
    "example_project.catalog.entries",
]
ROOT_URLCONF = "example_project.catalog.urls"
WSGI_APPLICATION = "example_project.catalog.wsgi.application"
DATABASES = {"default": database("CATALOG_DATABASE_URL", DATA_DIR / "catalog.sqlite3")}

# Cookies know no ports: without names of their own the services log each other's users out.
SESSION_COOKIE_NAME = "catalog_session"
CSRF_COOKIE_NAME = "catalog_csrf"
STATIC_URL = "/catalog/static/"

DJANGO_OUTBOX = outbox("catalog")
CELERY_TASK_DEFAULT_QUEUE = "catalog"
CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS = celery_broker(DATA_DIR / "celery" / "catalog")
