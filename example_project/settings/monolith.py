"""The monolith: the service ``shop``, which owns markets and products."""

import os

from .base import *  # noqa: F403
from .base import DATA_DIR, FRAME_APPS, outbox
from .environment import celery_broker, database

EXAMPLE_PORT = 8000
EXAMPLE_IMPORT_AT_SETUP = True

INSTALLED_APPS = [
    *FRAME_APPS,
    "rest_framework",
    "example_project.monolith.products",
    "example_project.monolith.catalog_copy",
]
ROOT_URLCONF = "example_project.monolith.urls"
WSGI_APPLICATION = "example_project.monolith.wsgi.application"
DATABASES = {"default": database("MONOLITH_DATABASE_URL", DATA_DIR / "monolith.sqlite3")}

# Cookies know no ports: without names of their own the services log each other's users out.
SESSION_COOKIE_NAME = "monolith_session"
CSRF_COOKIE_NAME = "monolith_csrf"
STATIC_URL = "/static/"

# Where the owner of the catalog entries takes the writes that arrive at the old API.
CATALOG_SERVICE_URL = os.environ.get("CATALOG_SERVICE_URL", "http://localhost:8001").rstrip("/")
CATALOG_SERVICE_TIMEOUT_SECONDS = 5

DJANGO_OUTBOX = outbox("shop")
CELERY_TASK_DEFAULT_QUEUE = "shop"
CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS = celery_broker(DATA_DIR / "celery" / "shop")

# The example's API is open to everybody who reaches it, as the old one was.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_PAGINATION_CLASS": "example_project.monolith.api.Pages",
    "EXCEPTION_HANDLER": "example_project.monolith.api.explain",
}
