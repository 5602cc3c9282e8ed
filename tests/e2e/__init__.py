import pytest

pytest.register_assert_rewrite("tests.e2e.stack", "tests.e2e.topic")
