"""What `stack.dissect` gives of a frame, under the labels and in the form that the course prints.

Each function takes values of fields by the names of the RFCs' figures. The labels and the words
around the values are those of the analyser of the year 2000. So is the form: "Flags: 0x04" of IP
has four bits, of which the first is none of RFC 791's three.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import stack
from stack.wire.ntp import utc_text
from tests.course.printed import Fields

NAMES = {
    "192.168.0.10": "chris.maison.mrs",
    "192.168.0.250": "gateway1.maison.mrs",
    "193.248.36.34": "Mix-Marseille-107-1-34.abo.wanadoo.fr",
    "194.2.0.28": "ntp0.oleane.net",
}
"""The names that the course's resolver found; they are not in the frames."""
PROTOCOLS = {6: "TCP (0x06)", 17: "UDP (0x11)"}
ETHER_TYPES = {0x0800: "IP (0x0800)"}
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32}
FLAG_LABELS = {
    "URG": "Urgent", "ACK": "Acknowledgment", "PSH": "Push", "RST": "Reset", "SYN": "Syn", "FIN": "Fin",
}  # fmt: skip
OPTIONS = {"mss": "Maximum segment size", "no-op": "NOP", "SACK permitted": "SACK permitted"}
STRATA = {0: "unspecified or unavailable (0)", 2: "secondary reference (2)"}  # RFC 1305's words

NO_CLOCK = "Unindentified reference source ''"  # so it is printed


class Dissected:
    """The layers of a frame, and the values of their fields by name."""

    def __init__(self, frame: stack.CapturedFrame) -> None:
        self.frame = frame
        link: Literal["ethernet", "ip"] = "ip" if frame.link == "ip" else "ethernet"
        self.layers = {layer.name: layer for layer in stack.dissect(frame.octets, link=link)}

    @property
    def names(self) -> list[str]:
        """The names of the layers."""
        return list(self.layers)

    def field(self, layer: str, name: str) -> stack.Field:
        """The field of this name."""
        return {field.name: field for field in self.layers[layer].fields}[name]

    def words(self, layer: str, name: str) -> str:
        """What the field means."""
        return self.field(layer, name).words

    def number(self, layer: str, name: str) -> int:
        """The value of a field that is a number."""
        value = self.field(layer, name).value
        assert isinstance(value, int)
        return value

    def octets(self, layer: str, name: str) -> bytes:
        """The value of a field that is no number."""
        value = self.field(layer, name).value
        assert isinstance(value, bytes)
        return value

    def payload(self, behind: str) -> bytes:
        """The octets of the layers behind one, without the padding."""
        later = self.names[self.names.index(behind) + 1 :]
        return b"".join(self.octets_of(name) for name in later if name != "Padding")

    def octets_of(self, layer: str) -> bytes:
        """All octets of a layer."""
        return bytes(self.layers[layer].octets)

    def errors(self) -> list[str]:
        """Why a host drops the frame."""
        return [layer.error for layer in self.layers.values() if layer.error]

    def options(self) -> list[str]:
        """The options of TCP, as the layer's line lists them."""
        listed = re.search(r"options \[(.*?)\]", self.layers["TCP"].line)
        return listed[1].split(", ") if listed else []

    def address(self, name: str) -> str:
        """An IP address with its name: "chris.maison.mrs (192.168.0.10)"."""
        text = ".".join(map(str, self.octets("IPv4", name)))
        return f"{NAMES[text]} ({text})"

    def port(self, layer: str, name: str) -> str:
        """A port with its name, as the words of the field have it: "pop3 (110)"."""
        named = re.match(r"\d+ \((.+?)\)", self.words(layer, name))
        number = self.number(layer, name)
        return f"{named[1] if named else number} ({number})"

    def line(self) -> str:
        """The line of the POP3 command or response, without its CR LF."""
        return self.payload("TCP").partition(b"\r\n")[0].decode()

    # --- the parts of the print

    def frame_part(self, before: stack.CapturedFrame) -> Fields:
        """What the capture says. `before` is the frame before it."""
        frame = self.frame
        arrived = datetime.fromtimestamp(frame.time_ns // 1_000_000_000, UTC)
        decimals = frame.time_ns % 1_000_000_000 // 100_000  # the print cuts off what lies behind them
        return {
            ("Frame", "on wire"): (str(frame.length),),
            ("Frame", "captured"): (str(len(frame.octets)),),
            ("Frame", "Arrival Time"): (f"{arrived:%b %d, %Y %H:%M:%S}.{decimals:04d}",),
            ("Frame", "Time delta from previous packet"): (f"{(frame.time_ns - before.time_ns) / 1e9:.6f} seconds",),
            ("Frame", "Frame Number"): (str(frame.number),),
            ("Frame", "Packet Length"): (f"{frame.length} bytes",),
            ("Frame", "Capture Length"): (f"{len(frame.octets)} bytes",),
        }

    def ethernet(self) -> Fields:
        """The addresses are printed twice, since they have no names."""
        part, layer = "Ethernet II", "Ethernet II"
        destination, source = (self.octets(layer, name).hex(":") for name in ("Destination Address", "Source Address"))
        return {
            (part, "Destination"): (f"{destination} ({destination})",),
            (part, "Source"): (f"{source} ({source})",),
            (part, "Type"): (ETHER_TYPES[self.number(layer, "Type")],),
        }

    def ip(self) -> Fields:
        """The IP header. The two bits that were unused are ECN's today (RFC 3168)."""
        part = "Internet Protocol"

        def number(name: str) -> int:
            return self.number("IPv4", name)

        dscp = number("Precedence") << 3 | number("D") << 2 | number("T") << 1 | number("R")
        bits = f"{dscp:06b}"
        default = "Default" if dscp == 0 else "?"
        df, mf = number("DF"), number("MF")
        return {
            (part, "Version"): (str(number("Version")),),
            (part, "Header length"): (f"{4 * number('IHL')} bytes",),
            (part, "Differentiated Services Field"): (
                f"0x{dscp << 2 | number('ECN'):02x} (DSCP 0x{dscp:02x}: {default})",
            ),
            (part, f"{bits[:4]} {bits[4:]}.. = Differentiated Services Codepoint"): (f"{default} (0x{dscp:02x})",),
            (part, f".... ..{number('ECN'):02b} = Currently Unused"): (str(number("ECN")),),
            (part, "Total Length"): (str(number("Total Length")),),
            (part, "Identification"): (f"0x{number('Identification'):04x}",),
            (part, "Flags"): (f"0x{number('Reserved') << 3 | df << 2 | mf << 1:02x}",),
            (part, f".{df}.. = Don't fragment"): (is_set(df),),
            (part, f"..{mf}. = More fragments"): (is_set(mf),),
            (part, "Fragment offset"): (str(8 * number("Fragment Offset")),),
            (part, "Time to live"): (str(number("Time to Live")),),
            **self.ip_ends(),
        }

    def ip_ends(self) -> Fields:
        """The part of the IP header that is printed of NTP, too."""
        part = "Internet Protocol"
        right = "correct" if self.words("IPv4", "Header Checksum").endswith(", right") else "incorrect"
        return {
            (part, "Protocol"): (PROTOCOLS[self.number("IPv4", "Protocol")],),
            (part, "Header checksum"): (f"0x{self.number('IPv4', 'Header Checksum'):04x} ({right})",),
            (part, "Source"): (self.address("Source Address"),),
            (part, "Destination"): (self.address("Destination Address"),),
        }

    def tcp(self) -> Fields:
        """The TCP header. Without ACK the Acknowledgment Number is not printed."""
        part = "Transmission Control Protocol"

        def number(name: str) -> int:
            return self.number("TCP", name)

        source, destination = self.port("TCP", "Source Port"), self.port("TCP", "Destination Port")
        flags = sum(bit for name, bit in FLAGS.items() if number(name))
        names = ", ".join(name for name, bit in FLAGS.items() if flags & bit)
        made: Fields = {
            (part, "Src Port"): (source,),
            (part, "Dst Port"): (destination,),
            (part, "Source port"): (source,),
            (part, "Destination port"): (destination,),
            (part, "Sequence number"): (str(number("Sequence Number")),),
            (part, "Header length"): (f"{4 * number('Data Offset')} bytes",),
            (part, "Flags"): (f"0x{flags:04x} ({names})",),
            (part, "Window size"): (str(number("Window")),),
            (part, "Checksum"): (f"0x{number('Checksum'):04x}",),
        }
        if number("ACK"):
            made[part, "Acknowledgement number"] = (str(number("Acknowledgment Number")),)
        for name, label in FLAG_LABELS.items():
            dots = list("........")
            dots[7 - FLAGS[name].bit_length() + 1] = str(number(name))
            made[part, f"{''.join(dots[:4])} {''.join(dots[4:])} = {label}"] = (is_set(number(name)),)
        return made | self.tcp_options()

    def tcp_options(self) -> Fields:
        """The options of the header."""
        part, header = "Transmission Control Protocol", 4 * self.number("TCP", "Data Offset")
        if header == 20:
            return {}
        made: Fields = {(part, "Options"): (f"({header - 20} bytes)",)}
        for option in self.options():
            name, value = ("mss", option.split()[1] + " bytes") if option.startswith("mss ") else (option, "")
            made[part, OPTIONS[name]] = (*made.get((part, OPTIONS[name]), ()), value)
        return made

    def pop(self) -> Fields:
        """A command from the client, or a response to it."""
        if not self.payload("TCP"):
            return {}
        part, kind = "Post Office Protocol", self.pop_kind()
        word, _, rest = self.line().partition(" ")
        made: Fields = {(part, kind): (word,)}
        if rest:
            made[part, f"{kind} Arg"] = (rest,)
        return made

    def pop_kind(self) -> str:
        """Who has sent it: "Request" or "Response"."""
        return "Response" if self.number("TCP", "Source Port") == 110 else "Request"

    def summary(self, first: stack.CapturedFrame) -> Fields:
        """The row of the table. `first` is the first frame of the capture."""
        source, destination, protocol, info = self.arp() if "ARP" in self.names else self.segment()
        return {
            ("Summary", "Time"): (f"{(self.frame.time_ns - first.time_ns) / 1e9:.6f}",),
            ("Summary", "Source"): (source,),
            ("Summary", "Destination"): (destination,),
            ("Summary", "Proto"): (protocol,),
            ("Summary", "Info"): (info,),
        }

    def arp(self) -> tuple[str, str, str, str]:
        """The row of an ARP packet."""
        source, destination = (
            self.octets("Ethernet II", name).hex(":") for name in ("Source Address", "Destination Address")
        )
        sender, target = (".".join(map(str, self.octets("ARP", name))) for name in ("ar$spa", "ar$tpa"))
        if self.number("ARP", "ar$op") == 1:
            return source, destination, "ARP", f"Who has {target}? Tell {sender}"
        return source, destination, "ARP", f"{sender} is at {self.octets('ARP', 'ar$sha').hex(':')}"

    def segment(self) -> tuple[str, str, str, str]:
        """The row of a TCP segment."""
        source, destination = (self.address(f"{name} Address").split()[0] for name in ("Source", "Destination"))
        if self.payload("TCP"):
            return source, destination, "POP", f"{self.pop_kind()}: {self.line()}"
        ports = " > ".join(self.port("TCP", f"{name} Port").split()[0] for name in ("Source", "Destination"))
        flags = ", ".join(name for name in FLAGS if self.number("TCP", name))
        return source, destination, "TCP", f"{ports} [{flags}]"

    # --- UDP and NTP

    def udp(self) -> Fields:
        """The UDP header."""
        part = "User Datagram Protocol"
        return {
            (part, "Source port"): (self.port("UDP", "Source Port"),),
            (part, "Destination port"): (self.port("UDP", "Destination Port"),),
            (part, "Length"): (str(self.number("UDP", "Length")),),
            (part, "Checksum"): (f"0x{self.number('UDP', 'Checksum'):04x}",),
        }

    def ntp(self) -> Fields:
        """The NTP header."""
        part = "Network Time Protocol"

        def number(name: str) -> int:
            return self.number("NTP", name)

        def seconds(name: str) -> str:
            return comma(f"{number(name) / 65536:.4f} sec")

        leap, version, mode = number("LI"), number("VN"), number("Mode")
        bits = f"{leap:02b}{version:03b}{mode:03b}"
        poll, precision = number("Poll"), number("Precision")
        reference_id = self.octets("NTP", "Reference ID")
        clock = ".".join(map(str, reference_id)) if any(reference_id) else NO_CLOCK
        return {
            (part, "Flags"): (f"{int(bits, 2):02X}",),
            (part, f"{bits[:2]}.. .... = Leap Indicator"): (self.meaning("LI"),),
            (part, f"..{bits[2:4]} {bits[4]}... = Version number"): (f"NTP Version {version}",),
            (part, f".... .{bits[5:]} = Mode"): (self.meaning("Mode"),),
            (part, "Peer Clock Stratum"): (STRATA[number("Stratum")],),
            (part, "Peer Pooling Interval"): (f"{poll} ({2**poll} sec)",),
            (part, "Peer Clock Precision"): (comma(f"{2.0 ** (precision - 256):.6f} sec"),),  # an octet with a sign
            (part, "Root Delay"): (seconds("Root Delay"),),
            (part, "Clock Dispersion"): (seconds("Root Dispersion"),),
            (part, "Reference Clock ID"): (clock,),
            (part, "Reference Clock Update Time"): (ntp_time(number("Reference Timestamp")),),
            (part, "Originate Time Stamp"): (ntp_time(number("Origin Timestamp")),),
            (part, "Receive Time Stamp"): (ntp_time(number("Receive Timestamp")),),
            (part, "Transmit Time Stamp"): (ntp_time(number("Transmit Timestamp")),),
        }

    def meaning(self, name: str) -> str:
        """The words of a field of NTP, behind what they are about: "leap indicator: no warning"."""
        return self.words("NTP", name).split(": ")[-1]


def ntp_time(timestamp: int) -> str:
    """A timestamp to four decimals, of which the course's were rounded or cut off: both give the same here."""
    text = utc_text(timestamp)
    if timestamp == 0:
        return "NULL"
    whole, _, fraction = text.removesuffix(" UTC").partition(".")
    assert round(int(fraction) / 100_000) == int(fraction) // 100_000
    return f"{whole},{fraction[:4]} UTC"


def comma(text: str) -> str:
    """A decimal number as it is written in French."""
    return text.replace(".", ",")


def is_set(bit: int) -> str:
    """The words for a flag."""
    return "Set" if bit else "Not set"
