"""What the gateway of a Compose project is told, and who waits behind it."""

from moorings.services.compose_gateway import _waits, configuration
from moorings.settings import Server


def test_it_listens_inside_and_knows_both_colours() -> None:
    lines = configuration(Server(max_body=5, proxy_hops=1)).splitlines()
    assert "listen 8080 backlog=2048;" in lines
    assert "listen 0.0.0.0:8081;" in lines
    assert 'set $green "green:8000";' in lines
    assert "client_max_body_size 5;" in lines
    assert 'set $hops "1";' in lines


def test_a_change_of_the_settings_is_another_configuration() -> None:
    assert configuration(Server()) != configuration(Server(keep_alive=6))


def test_only_a_listening_socket_has_a_queue_of_clients() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"
    assert not _waits(head)
    assert _waits("   0: 00000000:1F40 00000000:0000 0A 00000000:00000003 00:00000000")
    assert not _waits("   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000")
    # Of a connection it is bytes.
    assert not _waits("   1: 0200000A:1F40 0300000A:8D2E 01 00000000:00000010 00:00000000")
