"""What is said at the end of a command."""

from moorings.report import kept


def test_data_that_stay_are_named_with_what_removes_them() -> None:
    assert kept([]) == ""
    assert kept(["shop_orders"]) == "; its data stay (shop_orders): --volumes removes them"
    assert kept(["a", "b", "c"]) == "; its data stay (a and 2 more): --volumes removes them"
