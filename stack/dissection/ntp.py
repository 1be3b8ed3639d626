"""NTP. See RFC 5905 section 7.3; RFC 1305 for version 3, whose header is the same."""

from __future__ import annotations

from stack.dissection.layer import CutOff, Layer, Malformed, Table, shown
from stack.dissection.payload import Payload
from stack.errors import BadPacket
from stack.wire import ntp
from stack.wire.ntp import NtpPacket


class Ntp(Layer):
    """A whole packet: the 48 octets, extension fields and the MAC."""

    __slots__ = ()
    name = "NTP"
    rfc = "RFC 5905 section 7.3"
    header: NtpPacket

    def text(self) -> str:
        """Version, mode, stratum, and the timestamps of the exchange that are set."""
        packet = self.header
        times = (("originate", packet.origin), ("receive", packet.receive), ("transmit", packet.transmit))
        texts = "".join(f", {name} {ntp.utc_text(stamp)}" for name, stamp in times if stamp)
        return f"NTP version {packet.version}, {ntp.MODES[packet.mode]}, stratum {packet.stratum}{texts}"

    def table(self, row: Table) -> None:
        """RFC 5905 figure 8."""
        packet = self.header
        row.number("LI", 2, f"leap indicator: {ntp.LEAP_INDICATORS[packet.leap]}")
        row.number("VN", 3, f"NTP version {packet.version}")
        row.number("Mode", 3, ntp.MODES[packet.mode])
        row.number("Stratum", 8, ntp.stratum_name(packet.stratum))
        row.number("Poll", 8, _power(packet.poll))
        row.number("Precision", 8, _power(packet.precision))
        row.number("Root Delay", 32, _short(packet.root_delay, packet.version))
        row.number("Root Dispersion", 32, _short(packet.root_dispersion, 4))
        row.octets("Reference ID", 4, _reference(packet))
        row.number("Reference Timestamp", 64, ntp.utc_text(packet.reference))
        row.number("Origin Timestamp", 64, f"T1: {ntp.utc_text(packet.origin)}")
        row.number("Receive Timestamp", 64, f"T2: {ntp.utc_text(packet.receive)}{_after(packet)}")
        row.number("Transmit Timestamp", 64, f"{_which(packet.mode)}{ntp.utc_text(packet.transmit)}")
        for extension in packet.extensions:
            row.number("Field Type", 16, f"extension field 0x{extension.type:04x}")
            row.number("Length", 16, f"{len(extension.value) + 4} octets, these four included")
            row.octets("Value", len(extension.value), shown(extension.value))
        if packet.mac:
            row.number("Key Identifier", 32, "of the secret key")
            row.octets("dgst", len(packet.mac) - 4, "message digest of the key and all octets before")


def _power(exponent: int) -> str:
    """Seconds as a power of 2."""
    if exponent >= 0:
        return f"2**{exponent} = {2**exponent} s"
    return f"2**{exponent} = {2.0**exponent:.9f} s"


def _short(units: int, version: int) -> str:
    """Units of 2**-16 s. Before version 4 the root delay may be negative."""
    if version < 4 and units >> 31:
        units -= 1 << 32
    return f"{units / 65536:.6f} s: units of 2**-16 s"


def _reference(packet: NtpPacket) -> str:
    """What the reference identifier is, by the stratum."""
    name = ntp.reference_name(packet.stratum, packet.reference_id)
    if packet.stratum > 1:
        return f"{name}: the server's own server (over IPv6: the beginning of a hash)"
    what = "kiss code" if packet.stratum == 0 else "kind of clock"
    return f'{what} "{name}"' if name else "none"


def _after(packet: NtpPacket) -> str:
    """How much later than T1 the server has received the request, by its own clock."""
    if not (packet.origin and packet.receive):
        return ""
    return (
        f"; T2 - T1 = {ntp.difference_s(packet.receive, packet.origin):+.6f} s: the way, and what the clocks differ by"
    )


def _which(mode: int) -> str:
    """A client's transmit timestamp is T1 of the exchange, a server's is T3."""
    return {ntp.CLIENT: "T1: ", ntp.SERVER: "T3: "}.get(mode, "")


def ntp_packet(payload: Payload) -> list[Layer]:
    """A packet that takes the whole payload. Control messages are left as data."""
    try:
        packet = NtpPacket.parse(payload.octets)
    except BadPacket as error:
        if error.reason in ("ntp_control", "ntp_bad_version"):
            return []
        if not payload.whole:
            return [CutOff(payload.octets, payload.offset, Ntp, payload.depth)]
        return [Malformed(payload.octets, payload.offset, Ntp, error.reason, payload.depth)]
    return [Ntp(payload.octets, payload.offset, packet, payload.depth)]
