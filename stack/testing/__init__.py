"""For tests of programs: a TCP peer that misbehaves, by script, by rule or ready-made.

    async with stack.testing.open_peer(ethernet, stack.testing.freezes_window()) as peer:

`stack.testing.plugin` is a pytest plugin with such a peer, and two hosts on a bad wire. Nothing
else here needs pytest, and `import stack` does not import this.
"""

from __future__ import annotations

from stack.testing.bad_wire import BadWire
from stack.testing.conversation import Conversation, Received
from stack.testing.misbehaviours import (
    acknowledges_unsent,
    answers_late,
    breaks_checksums,
    closes_after,
    crosses_fin,
    dribbles,
    falls_silent,
    freezes_window,
    ignores_syns,
    never_closes,
    opens_simultaneously,
    refuses,
    repeats_all,
    resets_after,
    sends_data_with_syn,
    splits_handshake,
    stays_half_open,
    tiny_windows,
)
from stack.testing.peer import Misbehaviour, Peer, PeerError, is_noise, nothing, open_peer
from stack.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG

__all__ = [
    "open_peer",
    "Peer",
    "PeerError",
    "Conversation",
    "Received",
    "Misbehaviour",
    "BadWire",
    "is_noise",
    "nothing",
    "refuses",
    "ignores_syns",
    "resets_after",
    "falls_silent",
    "closes_after",
    "freezes_window",
    "tiny_windows",
    "stays_half_open",
    "never_closes",
    "crosses_fin",
    "splits_handshake",
    "opens_simultaneously",
    "sends_data_with_syn",
    "acknowledges_unsent",
    "breaks_checksums",
    "dribbles",
    "answers_late",
    "repeats_all",
    "SYN",
    "ACK",
    "FIN",
    "RST",
    "PSH",
    "URG",
    "ECE",
    "CWR",
]
