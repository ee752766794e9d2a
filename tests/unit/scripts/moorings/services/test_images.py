"""What a build is lent of the machine's own ways to packages."""

from pathlib import Path

from moorings.services import images


def test_pip_is_told_where_packages_come_from_and_nothing_else() -> None:
    listed = (
        "global.index-url='https://a.test/simple'\nglobal.cert='/x'\n:env:.proxy='http://b.test'"
    )
    assert images.pip_settings(listed).splitlines() == [
        "[global]",
        "index-url = https://a.test/simple",
        "proxy = http://b.test",
    ]


def test_the_authorities_are_those_that_the_operator_names(tmp_path: Path) -> None:
    named = tmp_path / "ca.pem"
    named.touch()
    assert images.authorities({"PIP_CERT": str(named)}) == {"ca": str(named)}
    gone = images.authorities({"PIP_CERT": str(tmp_path / "gone")})
    assert gone in ({}, {"ca": images.BUNDLE})
