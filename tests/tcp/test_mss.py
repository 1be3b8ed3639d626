"""The MSS option and what a segment may carry: RFC 9293 section 3.7.1."""

from __future__ import annotations

import pytest

from stack.config import TcpConfig
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, RST, SYN, closed, established, listening, syn_sent, text


@rfc("9293 MUST-14", "9293 SHLD-5", "9293 MAY-3")
def test_our_syn_carries_the_mss_of_the_interface() -> None:
    """1500 octets less 20 for IP and 20 for TCP."""
    conn, peer = closed()
    conn.open(peer.now)
    assert peer.expects(SYN).options.mss == 1460


@rfc("9293 SHLD-5")
def test_our_syn_ack_carries_it_whether_or_not_the_syn_did() -> None:
    for options in (TcpOptions(), TcpOptions(mss=536)):
        _, peer = listening()
        peer.sends(SYN, options=options)
        assert peer.expects(SYN | ACK).options.mss == 1460


@rfc("9293 MUST-67")
@pytest.mark.parametrize(
    ("mtu", "header", "mss"), [(1500, 20, 1460), (576, 20, 536), (9000, 20, 8960), (1500, 60, 1420)]
)
def test_the_mss_we_announce_is_what_comes_unfragmented(mtu: int, header: int, mss: int) -> None:
    conn, peer = closed()
    wire = peer.world.wire(conn)
    wire.mtu, wire.header_length = mtu, header
    conn.open(peer.now)
    assert peer.expects(SYN).options.mss == mss


@rfc("9293 MUST-65")
def test_no_segment_without_syn_carries_the_option() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    assert peer.expects(ACK).options.mss is None
    conn.send(b"x", peer.now)
    assert peer.expects(ACK, b"x").options.mss is None
    peer.sends(ACK)
    conn.shutdown_write(peer.now)
    assert peer.expects(FIN | ACK).options.mss is None
    conn.abort(peer.now)
    assert peer.expects(RST | ACK).options.mss is None


@rfc("9293 MUST-14", "9293 MUST-16")
@pytest.mark.parametrize("mss", [88, 536, 1000, 1460])
def test_the_peer_s_mss_limits_what_we_send(mss: int) -> None:
    conn, peer = established(mss=mss)
    conn.send(text(2 * mss), peer.now)
    peer.expects(ACK, text(mss))
    peer.expects(ACK, text(mss, mss))


@rfc("9293 MUST-15")
def test_without_the_option_it_is_536() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK)
    peer.expects(ACK)
    assert conn.mss == 536
    conn.send(text(1072), peer.now)
    peer.expects(ACK, 536)
    peer.expects(ACK, 536)


@rfc("9293 MUST-16")
@pytest.mark.parametrize(("mtu", "header", "carried"), [(1500, 20, 1460), (1400, 20, 1360), (1500, 32, 1448)])
def test_the_path_limits_what_we_send_when_the_peer_takes_more(mtu: int, header: int, carried: int) -> None:
    conn, peer = established(mss=8960)
    wire = peer.world.wire(conn)
    wire.mtu, wire.header_length = mtu, header
    conn.send(text(2 * carried), peer.now)
    peer.expects(ACK, carried)
    peer.expects(ACK, carried)


@pytest.mark.parametrize("mss", [1, 20, 87])
def test_a_tiny_mss_is_an_attack_and_raised_to_the_floor(mss: int) -> None:
    conn, peer = established(mss=mss)
    assert conn.mss == TcpConfig().min_send_mss == 88
    conn.send(text(176), peer.now)
    peer.expects(ACK, 88)
    peer.expects(ACK, 88)


def test_an_mss_of_zero_is_no_mss() -> None:
    conn, _ = established(mss=0)
    assert conn.mss == 536


def test_maxseg_limits_both_directions() -> None:
    conn, peer = closed()
    set_options(conn, maxseg=600)
    conn.open(peer.now)
    assert peer.expects(SYN).options.mss == 600
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    conn.send(text(1200), peer.now)
    peer.expects(ACK, 600)
    peer.expects(ACK, 600)


def test_maxseg_cannot_exceed_what_the_interface_takes() -> None:
    conn, peer = closed()
    set_options(conn, maxseg=9000)
    conn.open(peer.now)
    assert peer.expects(SYN).options.mss == 1460


def test_a_listener_gives_its_options_to_its_children() -> None:
    listener, peer = listening(options={"maxseg": 700, "nodelay": True, "sndbuf": 5000, "auto_sndbuf": False})
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    assert peer.expects(SYN | ACK).options.mss == 700
    peer.sends(ACK)
    conn = listener.accept()
    assert conn is not None
    assert (conn.mss, conn.user_options.nodelay, conn.sndbuf) == (700, True, 5000)


@rfc("9293 MUST-5")
@pytest.mark.parametrize("flags", [ACK, ACK | FIN, RST])
def test_an_mss_option_without_syn_is_read_over(flags: int) -> None:
    conn, peer = established()
    peer.sends(flags, options=TcpOptions(mss=100))
    assert conn.send_mss == MSS
    if flags & FIN:
        peer.expects(ACK)
    assert (conn.state is State.CLOSED) == bool(flags & RST)


# --- options in general


@rfc("9293 MUST-6")
@pytest.mark.parametrize("kind", [6, 27, 99, 253])
def test_an_unknown_option_is_skipped_by_its_length(kind: int) -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, raw_options=bytes((kind, 5, 1, 2, 3)) + bytes((2, 4, 3, 232)) + b"\0\0\0")
    peer.expects(ACK)
    assert conn.send_mss == 1000


@rfc("9293 MUST-64", "9293 MUST-4")
@pytest.mark.parametrize("padding", range(4))
def test_options_begin_on_any_octet(padding: int) -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, raw_options=b"\1" * padding + bytes((2, 4, 3, 232)) + b"\0" * (4 - padding))
    peer.expects(ACK)
    assert conn.send_mss == 1000


@rfc("9293 MUST-4")
def test_nothing_is_read_behind_the_end_of_the_options() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, raw_options=bytes((0, 2, 4, 3)) + bytes((2, 4, 3, 232)))
    peer.expects(ACK)
    assert conn.send_mss == 536


@rfc("9293 MUST-7")
@pytest.mark.parametrize(
    "raw", [b"\2\0\0\0", b"\2\1\0\0", b"\2\5\0\0", b"\x63\x28\0\0", b"\1\1\1\2", b"\x08\xff" + bytes(38)]
)
def test_malformed_options_never_kill_a_connection(raw: bytes) -> None:
    """Not when it is made, and not when it stands."""
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, raw_options=raw)
    peer.expects(ACK)
    assert conn.state is State.ESTABLISHED
    assert conn.send_mss == 536
    assert conn.services.counters["tcp_bad_options"] == 1
    peer.sends(ACK, b"text", raw_options=raw)
    assert conn.receive(10, peer.now) == b"text"
    peer.wait(0.5)
    peer.expects(ACK)
    assert conn.state is State.ESTABLISHED


@rfc("9293 MUST-68", "9293 MUST-69")
def test_our_own_options_are_well_formed_and_padded_with_zeros() -> None:
    conn, peer = closed(window_scaling=True)
    conn.open(peer.now)
    assert peer.expects(SYN).raw_options == bytes((2, 4, 1460 >> 8, 1460 & 255, 1, 3, 3, 7))
