"""The probe app's request that wants memory: as much as it is asked for, and no machine's all."""

from runtime.probe import make_probe


def test_it_hoards_what_it_is_asked_for() -> None:
    answer = make_probe("1").test_client().get("/_probe/hoard/3")
    assert answer.get_json()["hoarded"] == 3


def test_it_refuses_to_hoard_more_than_two_gibibytes() -> None:
    answer = make_probe("1").test_client().get("/_probe/hoard/2049")
    assert answer.status_code == 400
