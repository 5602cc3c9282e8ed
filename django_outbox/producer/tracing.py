"""The trace of the request that records an event, where OpenTelemetry is installed."""

from __future__ import annotations

from typing import Any

inject: Any
try:
    from opentelemetry.propagate import inject  # type: ignore[import-not-found, no-redef, unused-ignore]
except ImportError:  # tracing is optional
    inject = None

__all__ = ["trace_headers"]


def trace_headers() -> dict[str, str]:
    """``traceparent`` (W3C Trace Context) of the current span; empty without one."""
    carrier: dict[str, str] = {}
    if inject is not None:
        inject(carrier)
    return {name: carrier[name] for name in ("traceparent", "tracestate") if name in carrier}
