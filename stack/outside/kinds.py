"""The kinds of marks, each with its sentence, its rule if it is a guess, and its clauses.

Where Wireshark has a flag of the same kind (User's Guide, "TCP Analysis"), its definition is used.
README.md lists where this program says something else.
"""

from __future__ import annotations

from stack.outside.mark import Kind

# What is sent

NEW = Kind("new", "It carries octets, a SYN or a FIN that the capture has not had before.")
AGAIN = Kind(
    "again",
    "All its octets were captured before: it is a retransmission, or a copy that the network has made. Frame {frame}"
    " was the last new segment.",
    "",
    (),
    "retransmission",
)
AGAIN_IT_SEEMS = Kind(
    "again",
    "A retransmission of octets that were lost before they came to here. Frame {frame} was the last new segment.",
    "It begins before the highest sequence number that was seen, and it comes too late for one that was overtaken.",
    (),
    "retransmission",
)
OCTET_AGAIN = Kind(
    "octet_again",
    "One octet that is not acknowledged is sent again: it is retransmitted, or it probes a window whose closing was not"
    " captured.",
)
FAST = Kind(
    "fast",
    "A fast retransmission: it was not sent after a timeout, but because duplicate ACKs showed the loss.",
    "It begins where two or more duplicate ACKs point, and it is sent within 20 ms of the last of them.",
    ("5681-3.2-c",),
    "fast_retransmission",
)
BY_SACK = Kind(
    "by_sack",
    "SACK blocks show that octets after it have arrived, and this segment has not.",
    "The last SACK blocks before it have octets after it, and none of its own.",
    ("6675-5-c",),
)
AFTER_TIMEOUT = Kind(
    "after_timeout",
    "It is sent again {number} ms after the last new segment, probably because the retransmission timer expired.",
    "No duplicate ACK asks for it, and at least 200 ms have passed, the least that common systems wait.",
    ("6298-5-e",),
)
SPURIOUS = Kind(
    "spurious",
    "All its octets had been acknowledged: the retransmission was not needed, or the ACK was lost or late.",
    "",
    (),
    "spurious_retransmission",
)
OUT_OF_ORDER = Kind(
    "out_of_order",
    "It comes after segments that follow it in the sequence: another segment has overtaken it.",
    "It begins before the highest sequence number that was seen, within one round trip of the segment that has it"
    " (3 ms if that is not known).",
    (),
    "out_of_order",
)
GAP = Kind(
    "gap",
    "{number} octets before it were not captured: they were lost on the way to here, come later, or were left out"
    " of the capture.",
    "",
    (),
    "lost_segment",
)
WINDOW_FULL = Kind(
    "window_full",
    "It fills the window of the receiver. No more may be sent until the receiver opens it.",
    "",
    (),
    "window_full",
)
ZERO_WINDOW_PROBE = Kind(
    "zero_window_probe",
    "One octet is sent into a window of zero, so that the receiver says whether it is still closed.",
    "",
    ("9293 MUST-36",),
    "zero_window_probe",
)
KEEP_ALIVE = Kind(
    "keep_alive",
    "A keep-alive: its sequence number is one before the next, so the receiver must answer.",
    "It has one octet or none, and begins one before the next sequence number; and all data before it is acknowledged.",
    ("9293-3.8.4-a", "9293 MUST-26"),
    "keep_alive",
)
KEEP_ALIVE_AT_ZERO = Kind(
    "keep_alive",
    "The window is zero, so this is a probe of it, in the form of a keep-alive: its sequence number is one before the"
    " next, and the receiver must answer.",
    KEEP_ALIVE.rule,
    ("9293 MUST-36",),
    "keep_alive",
)

# What is acknowledged

DUPLICATE_ACK = Kind(
    "duplicate_ack",
    "Duplicate ACK number {number} of the ACK in frame {frame}.",
    "",
    ("5681-2-b",),
    "duplicate_ack",
)
DUPLICATE_OF_ALL = Kind(
    "duplicate_ack",
    "Repetition number {number} of the ACK in frame {frame}. All data is acknowledged, so it shows no loss.",
    "",
    (),
    "duplicate_ack",
)
WINDOW_UPDATE = Kind(
    "window_update",
    "Nothing new is acknowledged, but the window is another one.",
    "",
    ("9293-3.10.7.4-p",),
    "window_update",
)
ZERO_WINDOW = Kind(
    "zero_window", "The window is zero: the receiver takes no more data now.", "", ("9293 MUST-35",), "zero_window"
)
ZERO_WINDOW_PROBE_ACK = Kind(
    "zero_window_probe_ack",
    "The answer to a zero window probe: the window is still zero.",
    "",
    ("9293-3.8.6.1-a",),
    "zero_window_probe_ack",
)
ZERO_WINDOW_PROBE_TAKEN = Kind(
    "zero_window_probe_taken",
    "The answer to a zero window probe: its octet was taken, and the window is still zero.",
    "",
    ("9293-3.8.6.1-a",),
)
KEEP_ALIVE_ACK = Kind(
    "keep_alive_ack", "The answer to a keep-alive: the peer still has the connection.", "", (), "keep_alive_ack"
)
ACK_OF_UNSEEN = Kind(
    "ack_of_unseen",
    "It acknowledges {number} octets that were not captured, but have arrived.",
    "",
    (),
    "ack_lost_segment",
)
CHALLENGE_ACK = Kind(
    "challenge_ack",
    "A challenge ACK: the segment in frame {frame} was dropped, and its sender is asked to prove itself.",
    "It repeats the last ACK, right after a SYN or a reset that the connection cannot take.",
    ("5961-3.2-d", "5961-4.2-b"),
)

# The connection

PORT_REUSED = Kind(
    "port_reused",
    "A new connection between the same two sockets as the one that was first seen in frame {frame}.",
    "",
    (),
    "reused_ports",
)
RESET = Kind("reset", "A reset: the sender does not have the connection, or gives it up.")
SIMULTANEOUS_OPEN = Kind(
    "simultaneous_open",
    "The SYNs of both ends have crossed: both open the connection at the same time.",
    "",
    ("9293 MUST-10",),
)
SIMULTANEOUS_CLOSE = Kind(
    "simultaneous_close",
    "The FINs of both ends have crossed: this one does not acknowledge the other.",
)
HALF_OPEN = Kind(
    "half_open",
    "A half-open connection: the sender of the reset has lost the connection that its peer still has.",
    "The reset answers a challenge ACK, or it has no ACK, takes its number from the segment before, and is the first"
    " segment of its sender for a second.",
    ("9293-3.5.1-a",),
)
REFUSED = Kind(
    "refused",
    "The SYN is answered by a reset: there is no listener, or a firewall refuses the connection.",
    "",
    ("9293-3.10.7.1-b",),
)

# The capture

SUPER_FRAME = Kind(
    "super_frame",
    "A super-frame of {number} octets of data: the device splits it into segments, or has joined them (offload).",
    "It has more data than the maximum segment size that the peer has told.",
)
PARTIAL_CHECKSUM = Kind(
    "partial_checksum",
    "The checksum is left to the device (offload): the field has the sum of the pseudo-header.",
)
WRONG_CHECKSUM = Kind(
    "wrong_checksum", "The checksum is wrong, so the receiver drops the segment.", "", ("9293 MUST-3",)
)
REASSEMBLED = Kind("reassembled", "The datagram came in {number} fragments; this frame completes it.")
COPY = Kind(
    "copy",
    "The same datagram as in frame {frame}: the network has duplicated it, or it was captured at two interfaces.",
    "It has the same IPv4 Identification, length and TCP header.",
)
BEGAN_BEFORE = Kind(
    "began_before",
    "The connection began before the capture. Its first numbers and the scale of its windows are not known.",
)
GIVEN_OUT_EARLY = Kind(
    "given_out_early",
    "It was among those that had been silent for longest when there were too many connections to follow.",
)
NOT_KEPT = Kind("not_kept", "{number} segments were judged and counted, but there are too many to keep them all.")

KINDS: tuple[Kind, ...] = tuple(kind for kind in list(globals().values()) if isinstance(kind, Kind))
