"""The settings dict, and what is said of a wrong one."""

import pytest

from django_outbox.conf import Settings, get_settings, problems
from django_outbox.exceptions import SettingsError


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "must be a dict such as {'SERVICE': 'shop'}, not None"),
        ({}, "needs 'SERVICE'"),
        ({"SERVICE": "shop", "KAFAK": {}}, "unknown setting 'KAFAK'; did you mean 'KAFKA'?"),
        ({"SERVICE": "shop", "kafka": {}}, "unknown setting 'kafka'; did you mean 'KAFKA'?"),
        ({"SERVICE": "a shop"}, "'SERVICE'] must be letters, digits"),
        ({"SERVICE": 7}, "'SERVICE'] must be of type str, not 7"),
        ({"SERVICE": "shop", "BROKER": "rabbit"}, "'BROKER'] must be one of 'kafka', 'memory', not 'rabbit'"),
        ({"SERVICE": "shop", "WAKE_UP": 1}, "'WAKE_UP'] must be of type bool, not 1"),
        ({"SERVICE": "shop", "MAX_ATTEMPTS": True}, "'MAX_ATTEMPTS'] must be of type int, not True"),
        ({"SERVICE": "shop", "MAX_ATTEMPTS": 0}, "'MAX_ATTEMPTS'] must be a number above zero, not 0"),
        ({"SERVICE": "shop", "HANDLER_SECONDS": 10**9}, "'HANDLER_SECONDS'] must be a day (86400) at most"),
        ({"SERVICE": "shop", "HOLE_WAIT_SECONDS": -1}, "must be a number of zero or more, not -1"),
        ({"SERVICE": "shop", "KAFKA": "localhost"}, "'KAFKA'] must be of type mapping, not 'localhost'"),
        ({"SERVICE": "shop", "RELAY_TOKEN_SECONDS": 5}, "must exceed 'PUBLISH_SECONDS' (10) by 2"),
    ],
)
def test_a_wrong_setting_is_named(raw: object, message: str) -> None:
    """P10: what was expected, what came, and the nearest name."""
    [problem] = problems(raw)
    assert message in problem


def test_everything_but_the_service_has_a_default() -> None:
    """One line is enough."""
    assert problems({"SERVICE": "shop"}) == []
    assert Settings(service="shop").keep_sent_seconds == 604_800


def test_settings_are_read_again_when_they_change(settings) -> None:
    """``override_settings`` works, and a broken dict raises with every problem it has."""
    assert get_settings().service == "shop"
    settings.DJANGO_OUTBOX = {"SERVICE": "other"}
    assert get_settings().service == "other"
    settings.DJANGO_OUTBOX = {"BROKER": "rabbit", "RELAI": "internal"}
    with pytest.raises(SettingsError) as caught:
        get_settings()
    assert all(name in str(caught.value) for name in ("RELAI", "SERVICE", "rabbit"))


def test_zero_means_not_kept_and_is_allowed() -> None:
    """``KEEP_SENT_SECONDS`` and ``HOLE_WAIT_SECONDS`` may be 0."""
    assert problems({"SERVICE": "shop", "KEEP_SENT_SECONDS": 0, "HOLE_WAIT_SECONDS": 0}) == []
