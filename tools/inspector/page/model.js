/**
 * What the page must know of frames and states: the headers up to TCP, flags, names.
 *
 * All octets come from the wire: every read is checked against the length, and nothing throws.
 */

const FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128;
export {FIN, SYN, RST, PSH, ACK, URG, ECE, CWR};

const FLAG_NAMES = [[SYN, "SYN"], [FIN, "FIN"], [RST, "RST"], [PSH, "PSH"], [URG, "URG"], [ECE, "ECE"], [CWR, "CWR"], [ACK, "ACK"]];

/** The states of RFC 9293 section 3.3.2, each with the letter that stands for it on a rail. */
export const STATE_LETTERS = {
  CLOSED: "C", LISTEN: "L", SYN_SENT: "S", SYN_RECEIVED: "R", ESTABLISHED: "E", FIN_WAIT_1: "1", FIN_WAIT_2: "2",
  CLOSE_WAIT: "W", CLOSING: "X", LAST_ACK: "A", TIME_WAIT: "T",
};

const KERNEL_NAMES = {ESTAB: "ESTABLISHED", SYN_RECV: "SYN_RECEIVED", UNCONN: "CLOSED", CLOSE: "CLOSED", FIN_WAIT1: "FIN_WAIT_1", FIN_WAIT2: "FIN_WAIT_2"};

/** The state that the kernel's tools call "ESTAB" or "FIN-WAIT-1"; "" if it is none. @param {string} name */
export function stateOfKernel(name) {
  const plain = String(name || "").toUpperCase().replaceAll("-", "_"), state = KERNEL_NAMES[plain] || plain;
  return Object.hasOwn(STATE_LETTERS, state) ? state : "";
}

/** "FIN_WAIT_1" as the RFC writes it: "FIN-WAIT-1". @param {string} state */
export const stateName = (state) => String(state || "").replaceAll("_", "-");

/** "SYN,ACK". @param {number} flags */
export function flagNames(flags) {
  let names = "";
  for (const [bit, name] of FLAG_NAMES) if (flags & bit) names += (names && ",") + name;
  return names || "no flags";
}

/** a - b of two sequence numbers, as a signed 32-bit number (RFC 9293 section 3.4). */
export const seqDiff = (a, b) => (a - b) | 0;

/** The octets of base64; none if it is malformed. @param {string} text @returns {Uint8Array} */
export function octetsOf(text) {
  let binary = "";
  try {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text || ""); // twice as fast, but newer
    binary = atob(text || "");
  } catch {
    return new Uint8Array(0);
  }
  const octets = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) octets[i] = binary.charCodeAt(i);
  return octets;
}

/** The first place below `length` where `isBefore(place)` is false: it is true for a beginning of them. */
export function firstPlace(length, isBefore) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const u16 = (b, at) => (at + 1 < b.length ? (b[at] << 8) | b[at + 1] : 0);
const u32 = (b, at) => (at + 3 < b.length ? ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0 : 0);
const dotted = (b, at) => (at + 4 <= b.length ? `${b[at]}.${b[at + 1]}.${b[at + 2]}.${b[at + 3]}` : "?");
const hex2 = (octet) => octet.toString(16).padStart(2, "0");
const station = (b, at) => Array.from(b.subarray(at, at + 6), hex2).join(":");

/**
 * The headers of a frame that the ladder needs.
 *
 * `kind` is "tcp", "udp", "icmp", "arp", "ip" (another protocol, or a later fragment) or "other".
 * @param {string} head base64 of the frame's first octets
 * @param {number} length of the whole frame
 * @param {string} link "ethernet", or that of a capture without an Ethernet header
 */
export function parseHead(head, length, link = "ethernet") {
  const b = octetsOf(head);
  let at = 0, type = 0x0800;
  const frame = {kind: "other", type: 0, from: "", to: "", length};
  if (link === "ethernet" || !link) {
    type = u16(b, 12);
    at = 14;
    while ((type === 0x8100 || type === 0x88a8) && at < 26) [type, at] = [u16(b, at + 2), at + 4];
  } else if (b.length && b[0] >> 4 === 6) {
    type = 0x86dd;
  }
  frame.type = type;
  if (type === 0x0806) return parseArp(b, at, frame);
  if (type === 0x0800 && at + 20 <= b.length) return parseIp(b, at, frame);
  if (type === 0x86dd && at + 40 <= b.length) return parseIp6(b, at, frame);
  if (at === 14) [frame.from, frame.to] = [station(b, 6), station(b, 0)];
  return frame;
}

function parseArp(b, at, frame) {
  if (at + 28 > b.length) return frame;
  frame.kind = "arp";
  frame.operation = u16(b, at + 6);
  frame.sender = dotted(b, at + 14);
  frame.senderStation = station(b, at + 8);
  frame.target = dotted(b, at + 24);
  return frame;
}

function parseIp(b, at, frame) {
  const header = (b[at] & 15) * 4, total = u16(b, at + 2), fragment = u16(b, at + 6);
  frame.kind = "ip";
  frame.protocol = b[at + 9];
  frame.from = dotted(b, at + 12);
  frame.to = dotted(b, at + 16);
  frame.offset = (fragment & 0x1fff) * 8;
  frame.more = Boolean(fragment & 0x2000);
  frame.ident = u16(b, at + 4);
  const payload = at + header;
  const room = Math.max(0, (total >= header && total <= frame.length - at ? total : frame.length - at) - header);
  if (frame.offset || header < 20) return frame;
  if (frame.protocol === 6 && payload + 20 <= b.length) return parseTcp(b, payload, room, frame);
  if (frame.protocol === 17 && payload + 8 <= b.length) {
    Object.assign(frame, {kind: "udp", sport: u16(b, payload), dport: u16(b, payload + 2), octets: Math.max(0, room - 8)});
  } else if (frame.protocol === 1 && payload + 8 <= b.length) {
    Object.assign(frame, {kind: "icmp", icmpType: b[payload], code: b[payload + 1], octets: Math.max(0, room - 8)});
    [frame.id, frame.number] = [u16(b, payload + 4), u16(b, payload + 6)];
    if (frame.icmpType === 3 && frame.code === 4) frame.mtu = frame.number;
  }
  return frame;
}

/** IPv6 is not spoken here, but a capture has it: its TCP and UDP, where no extension header stands before them. */
function parseIp6(b, at, frame) {
  const payload = at + 40, room = Math.max(0, Math.min(u16(b, at + 4), frame.length - payload));
  Object.assign(frame, {kind: "ip", protocol: b[at + 6], from: colons(b, at + 8), to: colons(b, at + 24), offset: 0, more: false, ident: 0});
  if (frame.protocol === 6 && payload + 20 <= b.length) return parseTcp(b, payload, room, frame);
  if (frame.protocol === 17 && payload + 8 <= b.length) {
    Object.assign(frame, {kind: "udp", sport: u16(b, payload), dport: u16(b, payload + 2), octets: Math.max(0, room - 8)});
  }
  return frame;
}

/** An IPv6 address: its longest run of zeros is "::" (RFC 5952 section 4.2). */
function colons(b, at) {
  const groups = Array.from({length: 8}, (_, i) => u16(b, at + 2 * i).toString(16)), runs = groups.join(":").match(/\b0(:0)+\b/g) || [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  return longest ? groups.join(":").replace(new RegExp(`(^|:)${longest}(:|$)`), "::") : groups.join(":");
}

function parseTcp(b, at, room, frame) {
  const header = (b[at + 12] >> 4) * 4;
  const tcp = {
    sport: u16(b, at), dport: u16(b, at + 2), seq: u32(b, at + 4), ack: u32(b, at + 8), flags: b[at + 13],
    window: u16(b, at + 14), urgent: u16(b, at + 18), len: Math.max(0, room - header), options: {}, sacks: [],
    text: "",
  };
  parseOptions(b, at + 20, Math.min(at + header, b.length), tcp);
  if (tcp.len) tcp.text = beginning(b, at + header, tcp.len);
  return Object.assign(frame, {kind: "tcp", sport: tcp.sport, dport: tcp.dport, octets: tcp.len, tcp});
}

function parseOptions(b, at, end, tcp) {
  while (at < end) {
    const kind = b[at];
    if (kind === 0) return;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const length = b[at + 1];
    if (!(length >= 2) || at + length > end) return;
    if (kind === 2 && length === 4) tcp.options.mss = u16(b, at + 2);
    else if (kind === 3 && length === 3) tcp.options.ws = b[at + 2];
    else if (kind === 4 && length === 2) tcp.options.sack = true;
    else if (kind === 8 && length === 10) tcp.options.ts = [u32(b, at + 2), u32(b, at + 6)];
    else if (kind === 5) for (let i = at + 2; i + 8 <= at + length; i += 8) tcp.sacks.push([u32(b, i), u32(b, i + 4)]);
    at += length;
  }
}

/** The first characters of a payload that is text: `"hello\n"`; empty if it is not. */
function beginning(b, at, length) {
  const shown = Math.min(length, 20, b.length - at);
  let text = "";
  for (let i = 0; i < shown; i++) {
    const octet = b[at + i];
    if (octet === 10) text += "\\n";
    else if (octet === 13) text += "\\r";
    else if (octet >= 32 && octet < 127) text += String.fromCharCode(octet);
    else return "";
  }
  return text && `"${text}${shown < length ? "…" : ""}"`;
}
