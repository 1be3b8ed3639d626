"""The scripts of the logs: the figures of RFC 9293 section 3, and each state of figure 5.

A script of a state reaches it, and shows what the host does there with text, with an
acknowledgment, and with what ends the state.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.tcp.connection import Connection
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN
from tests.trace.logs import Script

# --- ways to a state


def connected() -> tuple[Script, Connection]:
    """A connection that the station has opened."""
    script = Script()
    listener = script.listen()
    script.says(SYN, "SYN")
    script.says(ACK, "the ACK of our SYN")
    connection = script.calls("ACCEPT", listener.accept)
    assert isinstance(connection, Connection)
    return script, connection


def sends(script: Script, connection: Connection, data: bytes) -> None:
    script.calls(f"SEND {data.decode()!r}", lambda: connection.send(data, script.now))


def closes(script: Script, connection: Connection) -> None:
    script.calls("CLOSE", lambda: connection.shutdown_write(script.now))


# --- the figures


def figure_6() -> Script:
    """Basic three-way handshake. We are peer B."""
    script, _ = connected()
    script.says(ACK | PSH, "text (line 5)", data=b"data")
    return script


def figure_7() -> Script:
    """Simultaneous connection synchronization."""
    script = Script()
    script.connect()
    script.says(SYN, "its own SYN (line 3)")
    assert script.heard is not None
    script.says(SYN | ACK, "SYN,ACK (line 6)", seq=100)
    return script


def figure_8() -> Script:
    """Recovery from an old duplicate SYN. We are peer B."""
    script = Script()
    listener = script.listen()
    script.says(SYN, "an old duplicate SYN (line 3)", seq=90)
    script.says(RST, "RST: that is not its number (line 5)", seq=91)
    script.says(SYN, "the new SYN (line 6)")
    script.says(ACK, "ACK (line 8)")
    script.calls("ACCEPT", listener.accept)
    return script


def figure_9() -> Script:
    """Half-open connection discovery. We are peer B, which still has the connection."""
    script, _ = connected()
    script.says(SYN, "SYN after a crash (line 3)", seq=400)
    script.says(RST, "RST in answer to our ACK (line 5)", seq=101)
    script.says(SYN, "the SYN again (line 7)", seq=400)
    return script


def figure_10() -> Script:
    """Active side causes half-open connection discovery. We are peer B."""
    script, connection = connected()
    sends(script, connection, b"0123456789")
    script.says(RST, "RST (line 3)", seq=101)
    return script


def figure_11() -> Script:
    """Old duplicate SYN initiates a reset on two passive sockets. We are peer B."""
    script = Script()
    script.listen()
    script.says(SYN, "an old duplicate SYN (line 2)")
    script.says(RST, "RST, since it listens as well (line 4)", seq=101)
    return script


def figure_12() -> Script:
    """Normal close sequence. We are peer A."""
    script, connection = connected()
    closes(script, connection)
    script.says(ACK, "ACK of our FIN (line 3)")
    script.says(FIN | ACK, "FIN (line 4)")
    script.waits(60.0)
    return script


def figure_13() -> Script:
    """Simultaneous close sequence."""
    script, connection = connected()
    closes(script, connection)
    assert script.heard is not None
    script.says(FIN | ACK, "FIN, sent before ours came (line 2)", ack=script.heard.tcp.seq)
    script.says(ACK, "ACK of our FIN (line 3)", ack=(script.heard.tcp.seq))
    script.waits(60.0)
    return script


# --- the states


def closed() -> Script:
    """CLOSED: nothing listens."""
    script = Script()
    script.says(SYN, "SYN to a port without a listener")
    script.says(ACK | PSH, "text of a connection that is not known", ack=7, data=b"text")
    script.says(RST, "RST")
    return script


def listen() -> Script:
    """LISTEN."""
    script = Script()
    listener = script.listen()
    script.says(ACK, "ACK of nothing", ack=7)
    script.says(RST, "RST")
    script.says(PSH, "text without SYN and ACK", data=b"text")
    script.says(SYN, "SYN")
    script.calls("CLOSE of the listener", lambda: listener.close(script.now))
    return script


def syn_sent() -> Script:
    """SYN-SENT."""
    script = Script()
    connection = script.connect()
    script.says(SYN | ACK, "SYN,ACK of another number than ours", seq=100, ack=7)
    script.says(RST, "RST without an ACK of our SYN", seq=100)
    script.says(ACK, "ACK of our SYN, without a SYN", seq=100, ack=(connection.iss + 1) & 0xFFFF_FFFF)
    script.waits(1.1)
    script.says(SYN | ACK, "SYN,ACK", ack=(connection.iss + 1) & 0xFFFF_FFFF)
    return script


def syn_sent_refused() -> Script:
    """SYN-SENT: a connection that the station refuses."""
    script = Script()
    script.connect()
    script.says(RST | ACK, "RST")
    return script


def syn_sent_close() -> Script:
    """SYN-SENT: the program closes."""
    script = Script()
    connection = script.connect()
    closes(script, connection)
    return script


def syn_received_close() -> Script:
    """SYN-RECEIVED after SYNs that have crossed: the program closes."""
    script = Script()
    connection = script.connect()
    script.says(SYN, "its own SYN")
    closes(script, connection)
    script.says(ACK, "ACK of our SYN and FIN")
    return script


def syn_received() -> Script:
    """SYN-RECEIVED."""
    script = Script()
    script.listen()
    script.says(SYN, "SYN")
    script.says(SYN, "the same SYN again", seq=100)
    script.says(ACK, "an ACK of what was not sent", ack=7)
    script.waits(1.1)
    script.says(ACK | PSH, "text with the ACK of our SYN", data=b"early")
    return script


def established() -> Script:
    """ESTABLISHED."""
    script, connection = connected()
    script.says(ACK | PSH, "text", data=b"abc")
    script.waits(0.1)
    script.calls("RECEIVE", lambda: connection.receive(100, script.now))
    script.says(ACK | PSH, "text after a gap", seq=108, data=b"hi")
    script.says(ACK | PSH, "the text of the gap", data=b"defg")
    script.peer_seq += 2
    sends(script, connection, b"hello")
    sends(script, connection, b"again")
    script.says(ACK, "ACK of both")
    script.says(ACK, "an ACK of what was not sent", ack=(connection.snd_nxt + 1000) & 0xFFFF_FFFF)
    script.says(ACK | PSH, "text outside the window", seq=script.peer_seq + 100_000, data=b"far")
    script.says(PSH, "text without ACK", seq=script.peer_seq, data=b"no ACK")
    script.says(RST, "RST that is not exact", seq=script.peer_seq + 10)
    script.calls("ABORT", lambda: connection.abort(script.now))
    return script


def established_window() -> Script:
    """ESTABLISHED: the peer closes its window."""
    script, connection = connected()
    script.says(ACK, "its window is 0", window=0)
    sends(script, connection, b"waits")
    script.waits(1.5)
    script.says(ACK, "its window is open again")
    return script


def established_loss() -> Script:
    """ESTABLISHED: nothing is acknowledged."""
    script, connection = connected()
    sends(script, connection, b"lost?")
    script.waits(3.0)
    script.says(ACK, "ACK at last")
    return script


def fin_wait_1() -> Script:
    """FIN-WAIT-1."""
    script, connection = connected()
    sends(script, connection, b"last")
    closes(script, connection)
    assert script.heard is not None
    script.says(ACK | PSH, "text, and an ACK of ours without our FIN", ack=script.heard.tcp.seq, data=b"more")
    script.says(FIN | ACK, "FIN with the ACK of our FIN")
    return script


def fin_wait_2() -> Script:
    """FIN-WAIT-2."""
    script, connection = connected()
    closes(script, connection)
    script.says(ACK, "ACK of our FIN")
    script.says(ACK | PSH, "text", data=b"more")
    script.calls("RECEIVE", lambda: connection.receive(100, script.now))
    script.says(FIN | ACK, "FIN")
    return script


def close_wait() -> Script:
    """CLOSE-WAIT."""
    script, connection = connected()
    script.says(FIN | ACK, "FIN")
    script.calls("RECEIVE", lambda: connection.receive(100, script.now))
    sends(script, connection, b"answer")
    script.says(ACK | PSH, "text beyond its FIN", seq=script.peer_seq, data=b"x")
    closes(script, connection)
    script.says(RST, "RST, in LAST-ACK")
    return script


def closing() -> Script:
    """CLOSING."""
    script, connection = connected()
    closes(script, connection)
    assert script.heard is not None
    script.says(FIN | ACK, "FIN without the ACK of ours", ack=script.heard.tcp.seq)
    script.waits(1.5)
    script.says(ACK, "ACK of our FIN", ack=connection.snd_nxt)
    return script


def last_ack() -> Script:
    """LAST-ACK."""
    script, connection = connected()
    script.says(FIN | ACK, "FIN")
    closes(script, connection)
    script.waits(1.5)
    script.says(FIN | ACK, "its FIN again, without the ACK of ours", seq=101, ack=connection.snd_una)
    script.says(ACK, "ACK of our FIN", ack=connection.snd_nxt)
    return script


def time_wait() -> Script:
    """TIME-WAIT."""
    script, connection = connected()
    closes(script, connection)
    script.says(FIN | ACK, "FIN with the ACK of ours")
    script.says(FIN | ACK, "the same FIN again", seq=101)
    script.says(RST, "RST", seq=102)
    script.says(ACK | PSH, "text", seq=102, data=b"x")
    script.waits(60.0)
    return script


def time_wait_reopened() -> Script:
    """TIME-WAIT: the station opens a new connection with the same ports."""
    script, connection = connected()
    closes(script, connection)
    script.says(FIN | ACK, "FIN with the ACK of ours")
    script.says(SYN, "SYN of a new connection", seq=5000)
    script.says(ACK, "the ACK of our SYN", seq=5001)
    return script


SCRIPTS: dict[str, Callable[[], Script]] = {
    script.__name__: script
    for script in (
        figure_6, figure_7, figure_8, figure_9, figure_10, figure_11, figure_12, figure_13,
        closed, listen, syn_sent, syn_sent_refused, syn_sent_close, syn_received, syn_received_close,
        established, established_window, established_loss,
        fin_wait_1, fin_wait_2, close_wait, closing, last_ack, time_wait, time_wait_reopened,
    )
}  # fmt: skip
