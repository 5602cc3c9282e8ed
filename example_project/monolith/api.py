"""How the APIs of the monolith page and how they say that a rule was broken."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.views import exception_handler

__all__ = ["Pages", "explain"]


class Pages(PageNumberPagination):
    """``?page=2&page_size=100``"""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


def explain(error: Exception, context: dict[str, Any]) -> Response | None:
    """A broken rule is the client's error: 400 with the fields and the reasons."""
    if isinstance(error, ValidationError):
        reasons = error.message_dict if hasattr(error, "error_dict") else error.messages
        error = serializers.ValidationError(reasons)
    return exception_handler(error, context)
