"""What a host tells, as text, while a station sends it segments: the logs in `logs/`.

usage: python -m tests.trace.logs    writes them anew; read the difference beside the RFC

Each log is a script: what the station or the program does is a line that begins with "==", and the
events that follow are what the host tells. Time is virtual, the host's secrets are drawn from a
seed, and sequence numbers stand as they are on the wire.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from stack.config import Config, TcpConfig
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.testing.frame_sender import Heard, segment_in
from stack.trace.event import Event
from stack.trace.reasons import REASONS
from stack.wire.addresses import format_ipv4
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import flag_names
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

FOLDER = Path(__file__).parent / "logs"
HOST, STATION = "10.0.0.1", "10.0.0.66"
PORT, THEIR_PORT = 7, 40000


class Script:
    """A host that is observed, and a station that does what the script says.

    `peer_seq` is the station's next sequence number; `heard` is the last segment of the host.
    """

    def __init__(self, seed: int = 1, config: TcpConfig | None = None) -> None:
        self.lines: list[str] = []
        self.network = Network(seed)
        ethernet = Ethernet()
        self.machine = self.network.machine("host", Config(tcp=config or TcpConfig()))
        self.machine.attach(ethernet.attach("tap0"), f"{HOST}/24")
        self.station = RawStation(self.network, ethernet, STATION)
        self.station.on_tcp = self._hear
        self.peer_seq = 100
        self.heard: Heard | None = None
        self.ports = (THEIR_PORT, PORT)
        self.station.asks(HOST)
        self.network.run(for_s=0.001)
        self._began = self.network.now
        self.listener: Listener | None = None
        self.machine.host.watch(lambda event: self.lines.append(line(event, self._began)))

    def note(self, text: str) -> None:
        """What is done next."""
        self.lines.append(f"== {text}")

    def _hear(self, heard: Heard) -> None:
        self.heard = heard

    # --- the station

    def says(
        self,
        flags: int,
        text: str,
        *,
        seq: int | None = None,
        ack: int | None = None,
        data: bytes = b"",
        window: int = 65535,
        options: bytes = b"",
    ) -> None:
        """A segment of the station; by default it continues, and acknowledges all it has heard."""
        self.note(f"the station: {text}")
        if ack is None:
            ack = self.heard.next if self.heard is not None and flags & 0x10 else 0
        start = self.peer_seq if seq is None else seq
        self.station.says_tcp(HOST, self.ports, flags, seq=start, ack=ack, data=data, window=window, options=options)
        if seq is None:
            self.peer_seq = (start + len(data) + bool(flags & 1) + bool(flags & 2)) & 0xFFFF_FFFF
        self.network.run(for_s=0.001)

    # --- the program

    def listen(self) -> Listener:
        self.note(f"the program: LISTEN on port {PORT}")
        self.listener = self.machine.listen(PORT)
        self.machine.settle()
        return self.listener

    def connect(self) -> Connection:
        self.note(f"the program: OPEN {STATION}:{THEIR_PORT}")
        connection = self.machine.connect(STATION, THEIR_PORT)
        self.ports = (THEIR_PORT, connection.local[1])
        self.network.run(for_s=0.001)
        return connection

    def calls(self, text: str, call: Callable[[], object]) -> object:
        """A call of the program."""
        self.note(f"the program: {text}")
        result = call()
        self.machine.settle()
        self.network.run(for_s=0.001)
        return result

    def waits(self, seconds: float) -> None:
        """Nothing comes for some time."""
        self.note(f"{seconds:g} s pass")
        self.network.run(for_s=seconds)

    @property
    def now(self) -> float:
        return self.network.now

    def text(self) -> str:
        """The log."""
        return "\n".join(self.lines) + "\n"


def line(event: Event, began: float) -> str:
    """An event as a line, with the sentence of its reason on a second one."""
    cause = f"{event.cause} {event.frame}" if event.frame else event.cause
    data = dict(event.data)
    because = data.pop("because", "")
    octets, meaning = data.pop("octets", None), data.pop("meaning", "")
    told = segment(octets) if isinstance(octets, bytes) else ""
    told += "".join(f" {name}={value(value_)}" for name, value_ in data.items())
    first = f"{event.n:4} {event.time - began:9.6f} [{cause}] {event.group} {event.name}{told}"
    reason = REASONS[because].sentence if isinstance(because, str) and because else meaning
    why = ", ".join(event.why)
    return f"{first}\n{'':15} {because or 'it'}: {reason} ({why})" if reason else f"{first} ({why})"


def value(told: object) -> str:
    """A fact in a line. Times are rounded: their last digits depend on the order of additions."""
    return f"{told:.6g}" if isinstance(told, float) else str(told)


def segment(frame: bytes) -> str:
    """A TCP segment in the form of the RFC's figures."""
    header = EthernetHeader.parse(frame)
    if header.ethertype != ETHERTYPE_IPV4:
        return " an ARP packet"
    ip = Ipv4Header.parse(frame[14:])
    if ip.protocol != PROTO_TCP:
        return f" protocol {ip.protocol}"
    heard = segment_in(frame[14 : 14 + ip.total_length], ip)
    tcp = heard.tcp
    ack = f"<ACK={tcp.ack}>" if tcp.flags & 0x10 else ""
    data = f"<DATA={heard.data.decode('ascii', 'replace')}>" if heard.data else ""
    ends = f"{format_ipv4(ip.source)}:{tcp.source_port} > {format_ipv4(ip.destination)}:{tcp.destination_port}"
    return f" {ends} <SEQ={tcp.seq}>{ack}<CTL={flag_names(tcp.flags)}>{data}<WND={tcp.window}>"


def written() -> dict[str, str]:
    """All logs, by name."""
    from tests.trace.scripts import SCRIPTS

    return {name: script().text() for name, script in SCRIPTS.items()}


def digest() -> str:
    """A digest of all logs, to compare runs."""
    whole = "".join(f"{name}\n{text}" for name, text in sorted(written().items()))
    return hashlib.sha256(whole.encode()).hexdigest()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    logs = written()
    for old in FOLDER.glob("*.txt"):
        if old.stem not in logs:
            old.unlink()
    for name, text in logs.items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
