/**
 * The layers and fields of a frame, from its first octets: Ethernet II, ARP, IPv4, ICMP, UDP and TCP.
 *
 * `dissectFrame` gives the same names, bits, widths and values as `stack.dissect`, of which this is a
 * part: what it has no table for is a layer "Data". It never throws, whatever the octets are.
 * A row of a table is [name, width in bits, meaning of the value v, whether it is octets and no number].
 */

/**
 * @typedef {{name: string, bit: number, width: number, value: number|string, words: string}} Field
 * @typedef {{name: string, rfc: string, offset: number, length: number, depth: number, error: string, cut: boolean,
 *   sum: ?object, fields: Field[]}} FrameLayer  `sum` says what the checksum covers: see `layerSum`
 */

const LAYER_RFCS = {
  "Ethernet": "RFC 894", "Ethernet II": "RFC 894", "IEEE 802.3": "RFC 1042", ARP: "RFC 826", RARP: "RFC 903",
  IPv4: "RFC 791 section 3.1", ICMP: "RFC 792", UDP: "RFC 768", TCP: "RFC 9293 section 3.1", Padding: "RFC 894",
};
const TCP_OPTIONS = {0: "end", 1: "no-op", 2: "maximum segment size", 3: "window scale", 4: "SACK permitted", 5: "SACK",
  8: "timestamps", 28: "user timeout", 30: "multipath TCP", 34: "fast open cookie"};
const IP_OPTIONS = {0: "end", 1: "no-op", 7: "record route", 68: "timestamp", 130: "security", 131: "loose source route",
  133: "extended security", 136: "stream ID", 137: "strict source route", 148: "router alert"};
const ARP_OPERATIONS = ["", "request", "reply", "reverse request", "reverse reply"];
const IP_PROTOCOL_NAMES = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 58: "ICMPv6"};
const TYPE_NAMES = {0x0800: "IPv4", 0x0806: "ARP", 0x8035: "RARP", 0x86dd: "IPv6", 0x8100: "802.1Q VLAN tag",
  0x88a8: "service VLAN tag"};
const ICMP_NAMES = {0: "echo reply", 3: "destination unreachable", 4: "source quench", 5: "redirect", 8: "echo request",
  9: "router advertisement", 10: "router solicitation", 11: "time exceeded", 12: "parameter problem", 13: "timestamp",
  14: "timestamp reply", 15: "information request", 16: "information reply", 17: "address mask request",
  18: "address mask reply"};
const UNREACHABLE_NAMES = ["net", "host", "protocol", "port", "fragmentation needed and DF set", "source route failed"];
const ICMP_QUERIES = new Set([0, 8, 13, 14, 15, 16, 17, 18]);
const ICMP_ERRORS = new Set([3, 4, 5, 11, 12]);
const ICMP_SIZES = {13: 20, 14: 20, 17: 12, 18: 12}; // of the messages that are longer than 8 octets
const CODEPOINTS = ["Not-ECT: no ECN", "ECT(1): ECN can be used", "ECT(0): ECN can be used", "CE: congestion experienced"];
const PRECEDENCES = ["routine", "priority", "immediate", "flash", "flash override", "CRITIC/ECP", "internetwork control",
  "network control"];

const hexText = (number, digits) => `0x${number.toString(16).padStart(digits, "0")}`;
const bigEndian = (b, at, size) => {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + (b[i] || 0);
  return value;
};
const addressText = (b, at = 0) => `${b[at]}.${b[at + 1]}.${b[at + 2]}.${b[at + 3]}`;
const octetsCount = (number) => (number === 1 ? "1 octet" : `${number} octets`);

/** Octets as hexadecimal digits. @param {Uint8Array} b */
export const hexOf = (b) => Array.from(b, (octet) => octet.toString(16).padStart(2, "0")).join("");

/** Octets as characters, those that cannot be printed as \xNN. @param {Uint8Array} b */
function printable(b, most = 64) {
  let text = "";
  for (const octet of b.subarray(0, most)) {
    if (octet === 10) text += "\\n";
    else if (octet === 13) text += "\\r";
    else text += octet > 31 && octet < 127 ? String.fromCharCode(octet) : `\\x${hexOf([octet])}`;
  }
  return `${octetsCount(b.length)} "${text}"${b.length > most ? "…" : ""}`;
}

function macText(b) {
  const text = hexOf(b).replace(/..(?!$)/g, "$&:");
  if (b.every((octet) => octet === 255)) return `${text}: broadcast, every station on the link`;
  if (b.every((octet) => octet === 0)) return `${text}: no station`;
  return `${text}: ${b[0] & 1 ? "a group of stations" : "one station"}, ${b[0] & 2 ? "locally" : "universally"} administered`;
}

/** Cuts octets into fields, from the first bit on; never past the octets. */
class FieldTable {
  constructor(octets) {
    this.octets = octets;
    this.bits = 8 * octets.length;
    this.bit = 0;
    /** @type {Field[]} */
    this.fields = [];
  }

  rows(rows) {
    for (const [name, width, words = "", isOctets = false] of rows) this.row(name, width, words, isOctets);
  }

  row(name, width, words = "", isOctets = false) {
    const first = this.bit, end = first + width;
    if (end > this.bits) {
      this.bits = Math.min(this.bits, first);
      return;
    }
    if (!width) return;
    const from = first >> 3, to = (end + 7) >> 3;
    const octets = this.octets.subarray(from, to);
    const value = isOctets ? hexOf(octets)
      : Math.floor(bigEndian(this.octets, from, to - from) / 2 ** (8 * to - end)) % 2 ** width;
    const said = typeof words === "function" ? words(isOctets ? octets : value) : words;
    this.fields.push({name, bit: first, width, value, words: said});
    this.bit = end;
  }

  finish() {
    while (this.bit % 8) this.bit = this.fields.pop().bit; // the octets end inside an octet that has been begun
    const rest = this.octets.subarray(this.bit >> 3);
    if (rest.length) this.fields.push({name: "rest", bit: this.bit, width: 8 * rest.length, value: hexOf(rest), words: printable(rest)});
    return this.fields;
  }
}

// --- the tables

const typeWords = (v) => `${hexText(v, 4)}, ${TYPE_NAMES[v] || "no name here"}`;
const flagRow = (name, words) => [name, 1, (v) => (v ? `set: ${words}` : "not set")];
const sizeWords = (unit) => (v) => `the header has ${unit * v} octets: this counts words of 32 bits`;
const MAC_ROWS = [["Destination Address", 48, macText, true], ["Source Address", 48, macText, true]];
const TAG_ROWS = [
  ["Tag Protocol Identifier", 16, typeWords],
  ["Priority Code Point", 3, (v) => `priority ${v} of 0 to 7`],
  ["Drop Eligible Indicator", 1, (v) => (v ? "may be dropped first" : "not set")],
  ["VLAN Identifier", 12, (v) => (v ? `VLAN ${v}` : "no VLAN, the tag carries only a priority")],
];
const ARP_ROWS = [
  ["ar$hrd", 16, (v) => `hardware type ${v}, ${v === 1 ? "Ethernet" : "IEEE 802"}`],
  ["ar$pro", 16, (v) => `protocol type ${typeWords(v)}`],
  ["ar$hln", 8, "a hardware address has 6 octets"],
  ["ar$pln", 8, "a protocol address has 4 octets"],
  ["ar$op", 16, (v) => ARP_OPERATIONS[v] || "no name here"],
  ["ar$sha", 48, (b) => `sender hardware address ${macText(b)}`, true],
  ["ar$spa", 32, (b) => `sender protocol address ${addressText(b)}`, true],
  ["ar$tha", 48, (b) => `target hardware address ${macText(b)}`, true],
  ["ar$tpa", 32, (b) => `target protocol address ${addressText(b)}`, true],
];
const IPV4_ROWS = [
  ["Version", 4, "IPv4"],
  ["IHL", 4, sizeWords(4)],
  ["Precedence", 3, (v) => `${PRECEDENCES[v]}; now the first bits of the DSCP`],
  ["D", 1, (v) => `${v ? "low" : "normal"} delay; now a bit of the DSCP`],
  ["T", 1, (v) => `${v ? "high" : "normal"} throughput; now a bit of the DSCP`],
  ["R", 1, (v) => `${v ? "high" : "normal"} reliability; now a bit of the DSCP`],
  ["ECN", 2, (v) => CODEPOINTS[v]],
  ["Total Length", 16, (v) => `${v} octets, header included`],
  ["Identification", 16, (v) => `${hexText(v, 4)}: all fragments of a datagram have the same`],
  ["Reserved", 1, (v) => (v ? "must be zero, and is not" : "must be zero")],
  ["DF", 1, (v) => (v ? "don't fragment" : "may fragment")],
  ["MF", 1, (v) => (v ? "more fragments follow" : "the last fragment, or the only one")],
  ["Fragment Offset", 13, (v) => `${v} units of 8 octets: octet ${8 * v} of the whole datagram's data`],
  ["Time to Live", 8, (v) => `at most ${v} more hops (RFC 791: seconds)`],
  ["Protocol", 8, (v) => IP_PROTOCOL_NAMES[v] || "no name here"],
  ["Header Checksum", 16],
  ["Source Address", 32, addressText, true],
  ["Destination Address", 32, addressText, true],
];
const UDP_ROWS = [
  ["Source Port", 16, "port"],
  ["Destination Port", 16, "port"],
  ["Length", 16, (v) => `${v} octets: this header and ${v - 8} of data`],
  ["Checksum", 16],
];
const tcpRows = (flags) => [
  ["Source Port", 16, "port"],
  ["Destination Port", 16, "port"],
  ["Sequence Number", 32, (v) => `${v}${flags & 2 ? ", the number of the SYN; the first octet of data has the next one" : ""}`],
  ["Acknowledgment Number", 32, (v) => (flags & 16 ? `${v}, the next octet that the sender expects` : "no meaning without ACK")],
  ["Data Offset", 4, sizeWords(4)],
  ["Rsrvd", 4, (v) => (v ? "reserved, and not zero" : "reserved")],
  flagRow("CWR", "congestion window reduced (RFC 3168)"),
  flagRow("ECE", "ECN-Echo (RFC 3168)"),
  flagRow("URG", "the Urgent Pointer is significant"),
  flagRow("ACK", "the Acknowledgment Number is significant"),
  flagRow("PSH", "push: pass the data on at once"),
  flagRow("RST", "reset the connection"),
  flagRow("SYN", "synchronize sequence numbers"),
  flagRow("FIN", "the sender has no more data"),
  ["Window", 16, (v) => `the sender takes ${v} octets${flags & 2 ? "; in a SYN this is never scaled" : " more, times 2 to the shift.cnt of its SYN if both SYNs had one"}`],
  ["Checksum", 16],
  ["Urgent Pointer", 16, (v) => (flags & 32 ? `${octetsCount(v)} from SEG.SEQ` : "no meaning without URG")],
];

function optionRows(raw, ofTcp) {
  const rows = [];
  let at = 0;
  while (at < raw.length) {
    const kind = raw[at];
    if (ofTcp) rows.push(["Kind", 8, TCP_OPTIONS[kind] || "no name here"]);
    else rows.push(...IP_OPTION_HEAD(kind));
    if (kind === 0) {
      rows.push(["Padding", 8 * (raw.length - at - 1), "up to a multiple of 32 bits", true]);
      break;
    }
    if (kind === 1) {
      at += 1;
      continue;
    }
    const length = at + 1 < raw.length ? raw[at + 1] : 0;
    if (length < 2 || at + length > raw.length) {
      rows.push(["octets", 8 * (raw.length - at - 1), "malformed: the length is under 2, or leads out of the header", true]);
      break;
    }
    rows.push([ofTcp ? "Length" : "length", 8, `${length} octets, these two included`]);
    rows.push(...(ofTcp ? tcpOptionRows : ipOptionRows)(kind, raw.subarray(at + 2, at + length), length));
    at += length;
  }
  return rows;
}

function tcpOptionRows(kind, data) {
  const size = data.length;
  if (kind === 2 && size === 2) return [["Maximum Segment Size", 16, (v) => `send me at most ${v} octets in a segment`]];
  if (kind === 3 && size === 1) return [["shift.cnt", 8, (v) => `the Window of my later segments counts units of ${2 ** Math.min(v, 14)} octets`]];
  if (kind === 8 && size === 8) return [["TS Value", 32, "the sender's clock"], ["TS Echo Reply", 32, "the latest TS Value of the other end; without ACK no meaning"]];
  if (kind === 5 && size % 8 === 0) {
    const block = [["Left Edge of Block", 32, (v) => `${v}: the first octet of a block that has arrived`],
      ["Right Edge of Block", 32, (v) => `${v}: the first octet after the block`]];
    return Array(size / 8).fill(block).flat();
  }
  if (kind === 28 && size === 2) return [["G", 1, (v) => (v ? "in minutes" : "in seconds")], ["User Timeout", 15, String]];
  if (kind === 34) return [["Cookie", 8 * size, hexOf, true]];
  return [["data", 8 * size, printable, true]];
}

const IP_OPTION_HEAD = (kind) => [
  ["copied flag", 1, (v) => (v ? "copied into all fragments" : "not copied: only the first fragment has it")],
  ["option class", 2, (v) => ["control", "reserved", "debugging and measurement", "reserved"][v]],
  ["option number", 5, `type ${kind}, ${IP_OPTIONS[kind] || "no name here"}`],
];

function ipOptionRows(kind, data, length) {
  const size = data.length;
  if ((kind === 7 || kind === 131 || kind === 137) && size) return routeRows(kind, data, length);
  if (kind === 68 && size >= 2) return timestampRows(data, length);
  if (kind === 130 && size === 9) return [["Security", 16], ["Compartments", 16], ["Handling Restrictions", 16], ["Transmission Control Code", 24]];
  if (kind === 148 && size === 2) return [["value", 16, (v) => (v ? "not defined by RFC 2113" : "routers examine the packet")]];
  if (kind === 136 && size === 2) return [["Stream ID", 16]];
  return [["option data", 8 * size, printable, true]];
}

const pointerRow = (length) => ["pointer", 8,
  (v) => (v > length ? "no room is left" : `the next host writes at octet ${v} of the option`)];

function routeRows(kind, data, length) {
  const rows = [pointerRow(length)], pointer = data[0];
  for (let at = 1; at < data.length - 3; at += 4) {
    const visited = at + 3 < pointer;
    const words = (b) => (visited ? `${addressText(b)} has been there` : kind === 7 ? "free" : `${addressText(b)} is still to come`);
    rows.push(["route data", 32, words, true]);
  }
  rows.push(["route data", 8 * ((data.length - 1) % 4), "not a whole address", true]);
  return rows;
}

function timestampRows(data, length) {
  const flag = data[1] & 15, size = flag === 1 || flag === 3 ? 8 : 4;
  const rows = [pointerRow(length), ["oflw", 4, (v) => `${v} hosts found no room`],
    ["flg", 4, {0: "only timestamps", 1: "each with the address of its host", 3: "only of the hosts with these addresses"}[flag] || "not defined"]];
  for (let at = 2; at < data.length - size + 1; at += size) {
    if (size === 8) rows.push(["internet address", 32, addressText, true]);
    const written = at + 3 < data[0];
    rows.push(["timestamp", 32, (v) => (written ? `${v} ms since midnight UT` : "free")]);
  }
  rows.push(["octets", 8 * ((data.length - 2) % size), "not a whole entry", true]);
  return rows;
}

function icmpRows(type, code) {
  const said = type === 3 ? UNREACHABLE_NAMES[code] : type === 11 ? ["TTL exceeded in transit", "reassembly time exceeded"][code] : "";
  const rows = [["Type", 8, ICMP_NAMES[type] || "no name here"], ["Code", 8, said || (code ? "no name here" : "this type has no codes")], ["Checksum", 16]];
  const same = (v) => `${v}: a request and its reply have the same`;
  if (ICMP_QUERIES.has(type)) rows.push(["Identifier", 16, same], ["Sequence Number", 16, same]);
  else if (type === 5) rows.push(["Gateway Internet Address", 32, (b) => `the better first hop is ${addressText(b)}`, true]);
  else if (type === 12) rows.push(["Pointer", 8, (v) => (code ? "no meaning with this code" : `octet ${v} of the quoted datagram is wrong`)], ["unused", 24]);
  else if (type === 3 && code === 4) rows.push(["unused", 16], ["Next-Hop MTU", 16, (v) => `${v} octets fit (RFC 1191)`]);
  else if (ICMP_ERRORS.has(type)) rows.push(["unused", 32]);
  else rows.push(["rest of header", 32, "", true]);
  const time = (v) => (v >= 2 ** 31 ? "not in ms since midnight UT" : `${v} ms since midnight UT`);
  if (type === 13 || type === 14) for (const name of ["Originate", "Receive", "Transmit"]) rows.push([`${name} Timestamp`, 32, time]);
  if (type === 17 || type === 18) rows.push(["Address Mask", 32, addressText, true]);
  return rows;
}

// --- what a parser refuses: the reason, or "" (the same checks in the same order as in stack/wire)

/** Whether LLC at `at` is followed by the Subnetwork Access Protocol. */
const isSnap = (b, at) => b[at] === 0xaa && b[at + 1] === 0xaa && b[at + 2] === 3;

function refusesEthernet(b) {
  if (b.length < 14) return "ethernet_truncated";
  let kind = bigEndian(b, 12, 2), at = 14;
  for (let tags = 0; kind === 0x8100 || kind === 0x88a8; tags++) {
    if (tags === 2) return "ethernet_too_many_tags";
    if (b.length < at + 4) return "ethernet_truncated";
    kind = bigEndian(b, at + 2, 2);
    at += 4;
  }
  if (kind >= 0x600) return "";
  if (kind > 1500 || kind > b.length - at || kind < 3) return "ethernet_bad_length";
  return ((b[at + 2] & 3) !== 3 && kind < 4) || (isSnap(b, at) && kind < 8) ? "ethernet_bad_length" : "";
}

function refusesArp(b) {
  if (b.length < 28) return "arp_truncated";
  const hardware = bigEndian(b, 0, 2);
  if ((hardware !== 1 && hardware !== 6) || b[4] !== 6) return "arp_bad_hardware";
  return bigEndian(b, 2, 2) !== 0x0800 || b[5] !== 4 ? "arp_bad_protocol" : "";
}

function refusesIpv4(b, cut = true) {
  if (b.length < 20) return "ipv4_truncated";
  if (b[0] >> 4 !== 4) return "ipv4_bad_version";
  const header = 4 * (b[0] & 15), total = bigEndian(b, 2, 2);
  if (header < 20 || header > b.length) return "ipv4_bad_header_length";
  return total < header || (total > b.length && !cut) ? "ipv4_bad_total_length" : "";
}

const refusesIcmp = (b) => (b.length < 8 || b.length < (ICMP_SIZES[b[0]] || 0) ? "icmp_truncated" : "");

function refusesUdp(b, cut = false) {
  if (b.length < 8) return "udp_truncated";
  const length = bigEndian(b, 4, 2);
  return length < 8 || (length > b.length && !cut) ? "udp_bad_length" : "";
}

function refusesTcp(b) {
  if (b.length < 20) return "tcp_truncated";
  const header = 4 * (b[12] >> 4);
  return header < 20 || header > b.length ? "tcp_bad_data_offset" : "";
}

// --- the walk from layer to layer

class FrameWalk {
  constructor(octets, length, ports) {
    this.octets = octets;
    this.missing = Math.max(0, length - octets.length);
    this.ports = ports;
    /** @type {FrameLayer[]} */
    this.layers = [];
  }

  add(name, from, to, depth, rows, more = {}) {
    const table = new FieldTable(this.octets.subarray(from, to));
    const isPort = (words) => (words === "port" ? (v) => `${v}${this.ports[v] ? ` (${this.ports[v]})` : ""}` : words);
    table.rows(rows.map(([title, width, words, isOctets]) => [title, width, isPort(words), isOctets]));
    const layer = {name, rfc: LAYER_RFCS[name] || "", offset: from, length: to - from, depth, error: "", cut: false, sum: null, ...more};
    layer.fields = table.finish();
    this.layers.push(layer);
    return layer;
  }

  /** Octets that are one field. */
  whole(name, field, from, to, depth = 0, more = {}) {
    if (to > from) this.add(name, from, to, depth, [[field, 8 * (to - from), printable, true]], more);
  }

  data(from, to, depth) {
    this.whole("Data", "data", from, to, depth);
  }

  padding(from) {
    this.whole("Padding", "padding", from, this.octets.length);
  }

  /** A header that `refuses` refuses: cut off by the capture, if any octets behind it would do, or malformed. */
  unread(name, from, to, depth, reason, refuses) {
    let cut = false;
    if (this.missing && !depth) {
      const longer = new Uint8Array(to - from + Math.min(this.missing, 1514));
      longer.set(this.octets.subarray(from, to));
      cut = !refuses(longer);
    }
    this.whole(name, "octets", from, to, depth, cut ? {cut} : {error: reason});
    if (!cut && to === from) this.add(name, from, to, depth, [], {error: reason});
    if (cut && to === from) this.add(name, from, to, depth, [], {cut});
  }

  /** A header of a transport that is refused: malformed, or only its first part if the datagram goes on elsewhere. */
  partOr(malformed, name, from, to, depth, reason) {
    if (!malformed) return this.cutOff(name, from, to, depth);
    this.whole(name, "octets", from, to, depth, {error: reason});
    return to === from && this.add(name, from, to, depth, [], {error: reason});
  }

  cutOff(name, from, to, depth) {
    this.whole(name, "octets", from, to, depth, {cut: true});
  }

  ethernet() {
    const b = this.octets, end = b.length;
    if (this.missing && end < 14) return this.cutOff("Ethernet", 0, end, 0);
    const longer = new Uint8Array(end + Math.min(this.missing, 1514));
    longer.set(b);
    const reason = refusesEthernet(longer);
    if (reason) return this.unread("Ethernet", 0, end, 0, reason, refusesEthernet);
    let at = 12;
    const tags = [];
    for (; [0x8100, 0x88a8].includes(bigEndian(longer, at, 2)); at += 4) tags.push(...TAG_ROWS);
    const type = bigEndian(longer, at, 2), start = at + 2;
    const llc = type >= 0x600 ? 0 : isSnap(longer, start) ? 8 : (longer[start + 2] & 3) === 3 ? 3 : 4;
    if (this.missing && start + llc > end) return this.cutOff("Ethernet", 0, end, 0);
    if (type < 0x600) return this.ieee8023(start, start + type, tags);
    this.add("Ethernet II", 0, start, 0, [...MAC_ROWS, ...tags, ["Type", 16, typeWords]]);
    return this.network(type, start);
  }

  ieee8023(start, frameEnd, tags) {
    const end = Math.min(frameEnd, this.octets.length);
    this.add("IEEE 802.3", 0, start, 0, [...MAC_ROWS, ...tags, ["Length", 16, (v) => `${v} octets of LLC and data follow`]]);
    this.data(start, end, 0);
    this.padding(end);
  }

  network(type, at) {
    const b = this.octets, end = b.length;
    let behind = end;
    if (type === 0x0800 && (at === end || b[at] >> 4 === 4)) behind = this.ipv4(at, end, 0);
    else if (type === 0x0806) behind = this.arp("ARP", at);
    else if (type === 0x8035) behind = this.arp("RARP", at);
    else this.data(at, end, 0);
    this.padding(behind);
  }

  arp(name, at) {
    const end = this.octets.length, reason = refusesArp(this.octets.subarray(at));
    if (reason) this.unread(name, at, end, 0, reason, refusesArp);
    else this.add(name, at, at + 28, 0, ARP_ROWS);
    return reason ? end : at + 28;
  }

  /** A datagram in the octets from `at` to `end`. Returns where it ends. */
  ipv4(at, end, depth) {
    const b = this.octets.subarray(at, end);
    let reason = refusesIpv4(b, depth > 0 || this.missing > 0);
    if (reason) {
      this.unread("IPv4", at, end, depth, reason, refusesIpv4);
      return end;
    }
    const header = 4 * (b[0] & 15), total = bigEndian(b, 2, 2), fragment = bigEndian(b, 6, 2);
    reason = !depth && total > b.length + this.missing ? "ipv4_bad_total_length" : "";
    if (reason) {
      this.whole("IPv4", "octets", at, end, depth, {error: reason});
      return end;
    }
    const sum = {at: 10, from: at, to: at + header, pseudo: [], whole: !depth, quoted: depth > 0};
    this.add("IPv4", at, at + header, depth, [...IPV4_ROWS, ...optionRows(b.subarray(20, header), false)], {sum});
    const from = at + header, to = Math.min(at + total, end);
    if (fragment & 0x1fff) {
      this.data(from, to, depth); // the transport header is in the first fragment
    } else {
      const whole = !(depth || fragment & 0x2000 || total > b.length);
      const pseudo = {source: at + 12, protocol: b[9], length: to - from, fragment: Boolean(fragment & 0x2000)};
      this.transport(b[9], from, to, depth, whole, pseudo);
    }
    return to;
  }

  transport(protocol, from, to, depth, whole, pseudo) {
    if (protocol === 6) this.tcp(from, to, depth, whole, pseudo);
    else if (protocol === 17) this.udp(from, to, depth, whole, pseudo);
    else if (protocol === 1) this.icmp(from, to, depth, whole, pseudo);
    else this.data(from, to, depth);
  }

  icmp(from, to, depth, whole, {fragment}) {
    const b = this.octets.subarray(from, to), reason = refusesIcmp(b), type = b[0];
    if (reason) return this.partOr(whole, "ICMP", from, to, depth, reason);
    const start = from + (ICMP_SIZES[type] || 8);
    this.add("ICMP", from, start, depth, icmpRows(type, b[1]), {sum: {at: 2, from, to, pseudo: [], whole, fragment, quoted: depth > 0}});
    if (whole && ICMP_ERRORS.has(type)) return this.whole("Trailer", "trailer", this.ipv4(start, to, 1), to, 1);
    if (!ICMP_QUERIES.has(type) || type === 8 || type === 0) return this.data(start, to, depth);
    return this.whole("Trailer", "trailer", start, to, depth);
  }

  tcp(from, to, depth, whole, pseudo) {
    const b = this.octets.subarray(from, to);
    const reason = refusesTcp(b), goesOn = b.length < 20 || b[12] >> 4 >= 5;
    if (reason && goesOn && !whole) {
      const rows = [["Source Port", 16, "port"], ["Destination Port", 16, "port"], ["Sequence Number", 32, String]];
      return this.add("TCP", from, to, depth, rows, {cut: true});
    }
    if (reason) return this.partOr(true, "TCP", from, to, depth, reason);
    const start = 4 * (b[12] >> 4), sum = this.sumOf(16, from, to, depth, whole, pseudo, pseudo.length);
    this.add("TCP", from, from + start, depth, [...tcpRows(b[13]), ...optionRows(b.subarray(20, start), true)], {sum});
    return this.data(from + start, to, depth);
  }

  udp(from, to, depth, whole, pseudo) {
    const b = this.octets.subarray(from, to);
    const reason = refusesUdp(b, !whole);
    if (reason) return this.partOr(whole || b.length >= 8, "UDP", from, to, depth, reason);
    const length = bigEndian(b, 4, 2), end = Math.min(from + length, to);
    this.add("UDP", from, from + 8, depth, UDP_ROWS, {sum: this.sumOf(6, from, end, depth, whole, pseudo, length)});
    this.data(from + 8, end, depth);
    return this.whole("Trailer", "trailer", end, to, depth);
  }

  /** What a checksum covers: the pseudo-header (RFC 9293 section 3.1) and the octets from `from` to `to`. */
  sumOf(at, from, to, depth, whole, {source, protocol, fragment}, length) {
    const words = [["source address", 0], ["source address", 2], ["destination address", 4], ["destination address", 6]]
      .map(([name, behind]) => [`pseudo-header: ${name}`, bigEndian(this.octets, source + behind, 2)]);
    words.push(["pseudo-header: zero and protocol", protocol], ["pseudo-header: length", length]);
    return {at, from, to, pseudo: words, whole, fragment, quoted: depth > 0};
  }
}

/**
 * The layers of a frame.
 * @param {Uint8Array} octets the first octets of the frame
 * @param {string} link "ethernet", "ip" or another; another is shown as data
 * @param {number} length of the frame on the wire
 * @param {Object<number, string>} ports names of ports
 * @returns {FrameLayer[]}
 */
export function dissectFrame(octets, link = "ethernet", length = octets.length, ports = {}) {
  const walk = new FrameWalk(octets, length, ports);
  if (link === "ethernet") walk.ethernet();
  else if (link === "ip" && (octets.length ? octets[0] >> 4 === 4 : !walk.missing)) {
    walk.whole("Trailer", "trailer", walk.ipv4(0, octets.length, 0), octets.length);
  } else walk.data(0, octets.length, 0);
  for (const layer of walk.layers) judgeLayer(octets, layer);
  if (walk.missing) walk.add("Not captured", octets.length, octets.length, 0, []);
  return walk.layers;
}

/** The one's complement sum of 16-bit words. @param {number} sum @param {number} word */
export const onesAdd = (sum, word) => {
  const total = sum + word;
  return (total & 0xffff) + (total >>> 16);
};

/**
 * The 16-bit words that a layer's checksum covers, in order, the checksum field as it is.
 * @param {Uint8Array} octets @param {FrameLayer} layer
 * @returns {{name: string, word: number, at: number, field: boolean}[]} `at` is an octet of the frame, -1 in a pseudo-header
 */
export function layerSum(octets, {sum}) {
  const words = sum.pseudo.map(([name, word]) => ({name, word, at: -1, field: false}));
  for (let at = sum.from; at < sum.to; at += 2) {
    const odd = at + 1 >= sum.to;
    const word = (octets[at] << 8) | (odd ? 0 : octets[at + 1]);
    words.push({name: odd ? "the last octet, and a zero" : "", word, at, field: at - sum.from === sum.at});
  }
  return words;
}

/** Say of a checksum whether it is right: `layer.sum.verdict`, and the words of its field. */
function judgeLayer(octets, layer) {
  const {sum} = layer;
  if (!sum) return;
  const field = layer.fields.find((other) => other.bit === 8 * sum.at);
  const total = (words) => words.reduce((before, {word}) => onesAdd(before, word), 0);
  if (layer.name === "UDP" && field.value === 0) sum.verdict = "none";
  else if (!sum.whole) sum.verdict = "not verified";
  else {
    const pseudo = sum.pseudo.reduce((before, [, word]) => onesAdd(before, word), 0);
    sum.verdict = total(layerSum(octets, layer)) === 0xffff ? "right"
      : sum.pseudo.length && field.value % 0xffff === pseudo % 0xffff ? "partial" : "wrong";
  }
  field.words = `${hexText(field.value, 4)}, ${SUM_VERDICTS[sum.verdict]}`;
}

const SUM_VERDICTS = {
  right: "right", wrong: "WRONG", none: "none: the sender has computed no checksum",
  "not verified": "not verified: not all the octets that it covers are here",
  partial: "left to the link: only the sum of the pseudo-header, which the device completes",
};
