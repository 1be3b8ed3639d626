"""The phrases by which statements become sentences, in each language: see in_words.py.

A phrase belongs to the name of an event. `{host}` and `{FIELD}` are filled in; `[...]` stands only if the pattern
asks for all fields in it, and `[FIELD=VALUE: ...]` only if it asks for that value. Of several phrases the first one
fits whose condition holds and whose fields outside of brackets are asked for.
"""

from __future__ import annotations

from typing import NamedTuple


class Phrase(NamedTuple):
    """A phrase, and its condition: "FIELD=VALUE", or "" for none."""

    condition: str
    text: str


def phrases(*told: str | tuple[str, str]) -> tuple[Phrase, ...]:
    """Return phrases; those without a condition are given as text alone."""
    return tuple(Phrase("", each) if isinstance(each, str) else Phrase(*each) for each in told)


FIRED, SET = "action=fired", "action=set"

ENGLISH: dict[str, tuple[Phrase, ...]] = {
    "tcp:state": phrases(
        "{host} enters {after}[ from {before}]", "{host} leaves {before}", "the state of {host}'s connection changes"
    ),
    "tcp:send": phrases(
        "{host} sends[again=true: again][again=false: for the first time] a segment[ with {flags}]"
        "[ with {len} octets of data][ from number {relative.seq} on]"
    ),
    "host:drop": phrases("{host} drops a packet: {reason}", "{host} drops a packet"),
    "tcp:timer": phrases(
        (FIRED, "the {timer} timer of {host} expires[, number {count} in a row][; the RTO becomes {rto_s} s]"),
        (FIRED, "a timer of {host} expires[, number {count} in a row][; the RTO becomes {rto_s} s]"),
        "{host} sets its {timer} timer to {in_s} s[action=set:]",
        (SET, "{host} sets its {timer} timer"),
        "{host} uses its {timer} timer",
    ),
    "tcp:ack": phrases(
        ("decision=later", "{host} delays an acknowledgment[ of {due} octets][, by {in_s} s at most]"),
        "{host} sends an acknowledgment[decision=now: at once][, up to {relative.ack}]",
    ),
    "tcp:loss": phrases("{host} finds a loss[ with {flight} octets in flight][; ssthresh becomes {ssthresh} octets]"),
    "tcp:recovery": phrases("{host} repairs a loss"),
    "tcp:agreed": phrases(
        "{host} knows the options of the connection[: at most {send_mss} octets in a segment that it sends]"
        "[window_scale=true:; window scale: yes][window_scale=false:; window scale: no]"
        "[timestamps=true:; timestamps: yes][timestamps=false:; timestamps: no]"
        "[sack=true:; selective acknowledgments: yes][sack=false:; selective acknowledgments: no]"
    ),
    "tcp:iss": phrases("{host} chooses its initial sequence number"),
    "tcp:rtt": phrases(
        ("because=rtt_segment_sent_again", "{host} measures no round trip"),
        "{host} measures a round trip[ of {sample_s} s][, where {observed_s} s have passed]"
        "[; the RTO becomes {rto_s} s]",
    ),
    "tcp:delta": phrases(
        "the congestion window of {host} becomes {congestion.cwnd} octets",
        "the congestion window of {host} changes[{congestion.cwnd}]",
    ),
    "tcp:phase": phrases(
        ("because=slow_start", "{host} is in slow start"),
        ("because=congestion_avoidance", "{host} is in congestion avoidance"),
    ),
    "tcp:window": phrases("{host} is offered another window[: {after} octets]"),
    "tcp:urgent": phrases(
        ("because=urgent_sent", "{host} announces urgent data"), "urgent data is announced to {host}"
    ),
    "tcp:open": phrases("{host} has a connection[ of {local}][ with {remote}]"),
    "tcp:listener": phrases(
        ("because=syn_cookie_sent", "{host} answers a SYN with a cookie[, while {half_open} connections are half open]")
    ),
    "tcp:reset": phrases("{host} answers a segment with a reset[sent=true:][flags=RST:][flags=RST,ACK: (RST,ACK)]"),
    "icmp:sent": phrases("{host} sends an ICMP message[ of type {type}][, code {code}]"),
    "icmp:taken": phrases(
        "{host} takes an ICMP message[ of type {type}][, code {code}][, with an MTU of {mtu} octets]"
    ),
    "icmp:not_sent": phrases("{host} may not send an ICMP error[ of type {type}][, code {code}]"),
    "ip:mtu": phrases("{host} learns the MTU of the path[ to {destination}][: {mtu} octets]"),
    "ip:fragment": phrases(
        "{host} sends a fragment[ of {len} octets][ at offset {offset}]"
        "[more=true:, and more of them follow][more=false:, which is the last]"
    ),
    "ip:reassembly": phrases(
        ("because=fragments_complete", "{host} has all fragments of a datagram[ of {have} octets][holes=0:]"),
        (
            "because=fragments_late",
            "{host} gives up a datagram[ of which {have} octets have come][holes=1:, and a part is missing]",
        ),
        "{host} puts fragments together",
    ),
    "ip:route": phrases("{host} sends what is for {destination} to {next_hop}[action=chosen:]"),
    "arp:ask": phrases("{host} asks[to=broadcast: all stations] for the station address of {address}"),
    "arp:answer": phrases("{host} answers the ARP request[ of {to}][ for {address}]"),
    "arp:wait": phrases("a datagram of {host} waits for the station address of {address}"),
    "arp:entry": phrases(
        "the ARP entry of {host}[ for {address}] changes[ from {before}][ to {after}]"
        "[, with the station address {mac}]",
    ),
    "acd:state": phrases(
        ("state=probing", "{host} probes its address"),
        ("state=defending", "{host} defends its address"),
        "the address of {host} is {state}[ by the station {mac}]",
    ),
    "udp:taken": phrases("{host} puts a datagram into the queue of a socket"),
    "wire:fate": phrases("something happens to a frame of {host} on the wire"),
    "dhcp:state": phrases("the DHCP state of {host} changes[ from {from}][ to {to}]"),
    "dhcp:send": phrases("{host} sends a DHCP{kind}", "{host} sends a DHCP message"),
    "dhcp:receive": phrases("{host} gets a DHCP{kind}[ from {server}]"),
    "dhcp:offer": phrases("{host} keeps the offer of {address}[, with T1 at {t1_s} s][ and T2 at {t2_s} s]"),
    "dhcp:choice": phrases("{host} chooses the offer of {address}"),
    "dhcp:bound": phrases("{host} has a lease[ of {address}][, with T1 at {t1_s} s]"),
    "dhcp:link_local": phrases("{host} takes a link-local address[address=169.254.*:, 169.254.x.y]"),
    "dhcp:probe": phrases("{host} probes an address"),
}

FRENCH: dict[str, tuple[Phrase, ...]] = {
    "tcp:state": phrases("{host} passe[ de l'état {before}] à l'état {after}", "{host} quitte l'état {before}"),
    "tcp:send": phrases(
        "{host} envoie un segment[ avec {flags}][ avec {len} octets de données][again=true: une nouvelle fois]"
    ),
    "host:drop": phrases(
        ("reason=tcp_bad_checksum", "{host} rejette un segment, dont la somme de contrôle est fausse"),
        ("reason=arp_unresolved", "{host} abandonne un datagramme, car ARP n'a pas eu de réponse"),
        "{host} rejette un paquet",
    ),
    "tcp:timer": phrases(
        (FIRED, "le temporisateur {timer} de {host} expire"),
        "{host} arme son temporisateur {timer} pour {in_s} s",
        "{host} se sert de son temporisateur {timer}",
    ),
    "tcp:ack": phrases(
        ("decision=later", "{host} retarde un acquittement[ de {due} octets][, de {in_s} s au plus]"),
        "{host} envoie un acquittement[decision=now: sans attendre][, jusqu'à {relative.ack}]",
    ),
    "tcp:agreed": phrases(
        "{host} connaît les options de la connexion[ : au plus {send_mss} octets dans un segment qu'il envoie]"
    ),
    "tcp:open": phrases("{host} a une connexion[ de {local}][ avec {remote}]"),
    "tcp:reset": phrases("{host} répond par un RST à un segment[sent=true:][flags=RST:][flags=RST,ACK: (RST,ACK)]"),
    "ip:route": phrases("{host} envoie à {next_hop} ce qui est pour {destination}[action=chosen:]"),
    "dhcp:state": phrases(
        "{host} passe, pour DHCP,[ de l'état {from}] à l'état {to}", "{host} change d'état pour DHCP"
    ),
    "dhcp:send": phrases("{host} envoie un DHCP{kind}", "{host} envoie un message DHCP"),
    "dhcp:offer": phrases("{host} garde l'offre de {address}[, avec T1 à {t1_s} s][ et T2 à {t2_s} s]"),
    "dhcp:link_local": phrases("{host} prend une adresse de lien local[address=169.254.*: 169.254.x.y]"),
    "dhcp:probe": phrases("{host} vérifie par ARP que l'adresse est libre"),
}

PHRASES = {"en": ENGLISH, "fr": FRENCH}

FRAMES: dict[str, dict[str, str]] = {
    "en": {
        "out": "{host} sends", "in": "{host} gets", "": "{host} sends or gets",
        "arp": "an ARP packet", "icmp": "an ICMP message", "udp": "a UDP datagram", "ntp": "an NTP message",
        "tcp": "a segment", "ieee_802_3": "an IEEE 802.3 frame", "frame": "a frame",
        "flags": " with {value}", "data": " with {value} octets of data",
        "also data": " and {value} octets of data",
        "no data": " without data", "also no data": " and no data", "some data": " with data",
        "also some data": " and data",
        "sound": " without an error", "damaged": " that is damaged ({value})", "seen": "{host} sees",
    },
    "fr": {
        "out": "{host} envoie", "in": "{host} reçoit", "": "{host} envoie ou reçoit",
        "arp": "un paquet ARP", "icmp": "un message ICMP", "udp": "un datagramme UDP", "ntp": "un message NTP",
        "tcp": "un segment", "ieee_802_3": "une trame IEEE 802.3", "frame": "une trame",
        "flags": " avec {value}", "data": " avec {value} octets de données",
        "also data": " et {value} octets de données",
        "no data": " sans données", "also no data": ", sans données", "some data": " avec des données",
        "also some data": " et des données", "sound": " sans erreur", "damaged": " endommagé",
        "seen": "{host} voit",
    },
}  # fmt: skip

FIELDS: dict[str, dict[str, str]] = {
    "en": {
        "seq": "sequence number {value}", "ack": "acknowledgment number {value}", "window": "window {value}",
        "len": "{value} octets in all", "sport": "from port {value}", "dport": "to port {value}",
        "source": "from {value}", "destination": "to {value}", "icmp.type": "type {value}",
        "arp.op": "operation {value}",
        "arp.spa": "the sender is {value}", "arp.tpa": "about the address {value}",
        "arp.sha": "station address {value}",
        "tcp.urg": "with URG", "data.data": "octets {value}", "ethernet.type": "EtherType {value}",
        "tcp.maximum_segment_size": "MSS {value}", "tcp.left_edge_of_block": "SACK blocks",
        "tcp.sequence_number": "sequence number on the wire {value}",
        "tcp.acknowledgment_number": "acknowledgment number on the wire {value}",
        "ipv4.ihl": "IHL {value}", "ntp.vn": "version {value}", "ntp.li": "leap indicator {value}",
    },
    "fr": {
        "seq": "numéro de séquence {value}", "ack": "numéro d'acquittement {value}", "window": "fenêtre {value}",
        "len": "{value} octets en tout", "sport": "du port {value}", "dport": "vers le port {value}",
        "source": "de {value}", "destination": "vers {value}", "icmp.type": "type {value}",
        "arp.op": "opération {value}",
        "arp.spa": "l'émetteur est {value}", "arp.tpa": "au sujet de {value}",
        "arp.sha": "adresse de station {value}",
        "tcp.maximum_segment_size": "MSS {value}",
        "tcp.sequence_number": "numéro de séquence sur le câble {value}",
        "tcp.acknowledgment_number": "numéro d'acquittement sur le câble {value}",
        "ipv4.total_length": "longueur totale {value}", "udp.length": "longueur {value}",
        "udp.checksum": "somme de contrôle {value}", "ntp.vn": "version {value}", "ntp.mode": "mode {value}",
        "ntp.stratum": "strate {value}", "ntp.poll": "intervalle {value}", "ntp.precision": "précision {value}",
        "ntp.root_delay": "délai racine {value}", "ntp.root_dispersion": "dispersion racine {value}",
        "ntp.li": "indicateur de saut {value}", "ntp.reference_id": "référence {value}",
    },
}  # fmt: skip

GRAMMAR: dict[str, dict[str, str]] = {
    "en": {
        "host": "the {name}", "named": "host {name}", "any": "a host",
        ">": "more than {value}", "<": "less than {value}", ">=": "at least {value}", "<=": "at most {value}",
        "!=": "other than {value}", "between": "between {low} and {high}", "or": " or ",
        "never": "It never happens that {clause}.", "once": "It happens just once that {clause}.",
        "more": "It happens more than once that {clause}.",
        "times": "It happens {value} times that {clause}.",
        "event": "{clause}.", "because": "{clause} ({reason})",
        "after": " after {value} s", "before": " before {value} s", "within": " between {low} and {high} s",
        "at": " at {value} s",
        "value": "When {clause}{time}, the {field} is {value}.", "second": " for the second time",
        "nth": " for time {n}", "last": " for the last time", "minus": "{left} minus {right} is {value}.",
        "length": "length of the frame", "kept": "The run keeps {value} as {name}.",
        "section": "RFC {rfc} section {section}",
    },
    "fr": {
        "host": "le {name}", "named": "l'hôte {name}", "any": "un hôte",
        ">": "plus de {value}", "<": "moins de {value}", ">=": "au moins {value}", "<=": "au plus {value}",
        "!=": "autre que {value}", "between": "entre {low} et {high}", "or": " ou ",
        "never": "Ceci n'arrive jamais : {clause}.", "once": "Ceci arrive une seule fois : {clause}.",
        "more": "Ceci arrive plus d'une fois : {clause}.",
        "times": "Ceci arrive {value} fois : {clause}.",
        "event": "{clause}.", "because": "{clause}",
        "after": " après {value} s", "before": " avant {value} s", "within": " entre {low} et {high} s",
        "at": " à {value} s",
        "value": "Quand {clause}{time}, la valeur de {field} est {value}.", "second": " pour la deuxième fois",
        "nth": " pour la fois {n}", "last": " pour la dernière fois", "minus": "{left} moins {right} font {value}.",
        "length": "longueur de la trame", "kept": "L'exécution garde {value} sous le nom {name}.",
        "section": "RFC {rfc} section {section}",
    },
}  # fmt: skip

NOUNS = {  # hosts whose name is a word for what they are
    "en": {
        name: name for name in ("client", "server", "stranger", "watcher", "customer", "owner", "guest", "attacker")
    },
    "fr": {"client": "client", "server": "serveur", "customer": "client", "watcher": "témoin"},
}
