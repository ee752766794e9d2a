"""What an app's environment says arrives in its container as it is."""

from moorings.services.compose import _quoted


def test_no_sign_of_a_value_is_read_as_a_variable() -> None:
    assert _quoted("a$b'c\\") == "'a$b\\'c\\\\'"
