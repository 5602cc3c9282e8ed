"""The monolith. Celery's app is imported here, so that tasks sent by web processes know it."""

from .celery import app as celery_app

__all__ = ["celery_app"]
