"""What librdkafka's errors mean for the message that they came back with."""

from __future__ import annotations

from ..base import Verdict

__all__ = ["verdict"]


def _table(verdict: Verdict, names: str) -> dict[str, Verdict]:
    return dict.fromkeys(names.split(), verdict)


# librdkafka calls no delivery error retriable, so its names are judged here; others are transient.
_VERDICTS = {
    **_table(
        Verdict.PERMANENT,
        "MSG_SIZE_TOO_LARGE RECORD_LIST_TOO_LARGE INVALID_MSG INVALID_MSG_SIZE INVALID_RECORD"
        " INVALID_TIMESTAMP TOPIC_EXCEPTION POLICY_VIOLATION UNSUPPORTED_FOR_MESSAGE_FORMAT"
        " _BAD_MSG _INVALID_ARG",
    ),
    **_table(
        Verdict.CONFIGURATION,
        "TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED"
        " TRANSACTIONAL_ID_AUTHORIZATION_FAILED SASL_AUTHENTICATION_FAILED _AUTHENTICATION"
        " UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE SECURITY_DISABLED _SSL"
        " UNKNOWN_TOPIC_OR_PART UNKNOWN_TOPIC_ID _UNKNOWN_TOPIC _UNKNOWN_PARTITION"
        " UNSUPPORTED_VERSION UNSUPPORTED_COMPRESSION_TYPE INVALID_REQUIRED_ACKS"
        " _UNSUPPORTED_FEATURE _NOT_CONFIGURED INVALID_CONFIG",
    ),
    **_table(Verdict.UNAVAILABLE, "_ALL_BROKERS_DOWN _TRANSPORT _RESOLVE BROKER_NOT_AVAILABLE"),
}


def verdict(error_name: str) -> Verdict:
    """What an error says, by its name in librdkafka."""
    return _VERDICTS.get(error_name, Verdict.TRANSIENT)
