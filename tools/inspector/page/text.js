/** The words of a row: what stands on its arrow, the sentence that a screen reader says, the reasons. */

import {ACK, FIN, RST, SYN, flagNames, seqDiff, stateName} from "./model.js";
import {spanShown} from "./moment.js";

const ICMP = {0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo request", 9: "router advertisement",
  10: "router solicitation", 11: "time exceeded", 12: "parameter problem", 13: "timestamp request", 14: "timestamp reply"};
const UNREACHABLE = {0: "network", 1: "host", 2: "protocol", 3: "port", 4: "fragmentation needed", 13: "prohibited"};
const PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP", 58: "ICMPv6", 132: "SCTP"};
const ETHERTYPES = {0x86dd: "IPv6", 0x88cc: "LLDP", 0x8035: "RARP", 0x8863: "PPPoE", 0x8864: "PPPoE"};
export const AGAIN = {rto: "again: timeout", fast: "again: fast", tail: "tail probe", probe: "probe", other: "again", seen: "again, by the peer"};
export const AGAIN_LETTERS = {rto: "R", fast: "F", tail: "T", probe: "P", other: "O", seen: "A"};
const UNSAID = new Set(["tcp:delta", "host:done", "ip:route", "ip:ident"]);

/** The numbers of a segment relative to the SYNs of both ends. @returns {{seq: number, ack: number}} */
export function numbersOf(row, store) {
  const {tcp} = row, conn = store.connections.get(row.group);
  if (store.absolute || !conn) return {seq: tcp.seq, ack: tcp.ack};
  const [mine, other] = row.dir === "out" ? [conn.iss, conn.irs] : [conn.irs, conn.iss];
  const seq = mine === null ? tcp.seq : seqDiff(tcp.seq, mine);
  return {seq, ack: other === null ? tcp.ack : seqDiff(tcp.ack, other)};
}

/** Which kind of line a row is drawn with. */
export function lineKind(row) {
  const {tcp} = row;
  if (!tcp) return "other";
  if (tcp.flags & RST) return "rst";
  if (tcp.flags & SYN) return "syn";
  if (tcp.flags & FIN) return "fin";
  return tcp.len ? "data" : "ack";
}

/** What stands on an arrow: a name in bold, and the rest. @returns {{name: string, rest: string}} */
export function arrowText(row, store) {
  const {frame, tcp} = row;
  if (!frame) return {name: row.kind, rest: ""};
  if (tcp) return segmentText(row, store);
  if (frame.kind === "arp") return arpText(frame);
  if (frame.kind === "icmp") return icmpText(frame);
  if (frame.kind === "udp") {
    const name = [67, 68].includes(frame.dport) ? "DHCP" : "UDP";
    return {name, rest: `${frame.sport} → ${port(frame.dport, store)}  ${octets(frame.octets)}`};
  }
  if (frame.kind === "ip") {
    const name = PROTOCOLS[frame.protocol] || `protocol ${frame.protocol}`;
    return frame.offset || frame.more
      ? {name: `${name} fragment`, rest: `id ${frame.ident}, from octet ${frame.offset}${frame.more ? ", more follow" : ", the last"}`}
      : {name, rest: `${frame.from} → ${frame.to}`};
  }
  return {name: ETHERTYPES[frame.type] || `type 0x${frame.type.toString(16).padStart(4, "0")}`, rest: octets(frame.length)};
}

function segmentText(row, store) {
  const {tcp} = row, {seq, ack} = numbersOf(row, store);
  let rest = tcp.len ? `${seq}:${seq + tcp.len} (${tcp.len})` : tcp.flags & (SYN | FIN | RST) ? `seq ${seq}` : "";
  if (tcp.flags & ACK) rest += `  ack ${ack}`;
  if (!tcp.len && !(tcp.flags & RST)) rest += `  win ${windowOf(row, store)}`;
  for (const [left, right] of tcp.sacks) rest += `  SACK ${seqShown(row, store, left)}:${seqShown(row, store, right)}`;
  const {mss, ws, sack, ts} = tcp.options;
  if (tcp.flags & SYN) rest += `  ${[mss && `mss ${mss}`, sack && "sack", ts && "ts", ws !== undefined && `ws ${ws}`].filter(Boolean).join(", ")}`;
  if (tcp.text) rest += `  ${tcp.text}`;
  return {name: flagNames(tcp.flags), rest: rest.trim()};
}

function seqShown(row, store, number) {
  const conn = store.connections.get(row.group);
  const zero = conn && (row.dir === "out" ? conn.irs : conn.iss);
  return store.absolute || zero === null || zero === undefined ? number : seqDiff(number, zero);
}

/** The window of a segment in octets: the field times the scale, which a SYN does not use. */
export function windowOf(row, store) {
  const agreed = store.connections.get(row.group)?.agreed;
  if (!agreed || row.tcp.flags & SYN || !agreed.window_scale) return row.tcp.window;
  return row.tcp.window * 2 ** (row.dir === "out" ? agreed.rcv_shift : agreed.snd_shift);
}

function arpText(frame) {
  if (frame.operation === 1) {
    if (frame.sender === "0.0.0.0") return {name: "ARP probe", rest: `does another host have ${frame.target}?`};
    if (frame.sender === frame.target) return {name: "ARP announcement", rest: `${frame.sender} is at ${frame.senderStation}`};
    return {name: "ARP request", rest: `who has ${frame.target}? tell ${frame.sender}`};
  }
  return {name: frame.operation === 2 ? "ARP reply" : `ARP ${frame.operation}`, rest: `${frame.sender} is at ${frame.senderStation}`};
}

function icmpText(frame) {
  const {icmpType, code} = frame;
  const name = `ICMP ${ICMP[icmpType] || `type ${icmpType}`}`;
  if (icmpType === 0 || icmpType === 8) return {name, rest: `id ${frame.id}  seq ${frame.number}  ${octets(frame.octets)}`};
  if (icmpType === 3 && code === 4) return {name: "ICMP fragmentation needed", rest: frame.mtu ? `mtu ${frame.mtu}` : ""};
  if (icmpType === 3) return {name: `ICMP ${UNREACHABLE[code] || `code ${code}`} unreachable`, rest: ""};
  return {name, rest: `code ${code}`};
}

const octets = (count) => `${count} octet${count === 1 ? "" : "s"}`;
const port = (number, store) => (store.words.ports?.[number] ? `${number} ${store.words.ports[number]}` : String(number));

/** What a row without an arrow says: a call, a timer, a fate, an event of the inspector, a gap. */
export function noteText(row, store) {
  const {event} = row, {data} = event;
  if (row.kind === "call") return callText(row);
  if (row.kind === "timer") return {name: `${data.timer} timer`, rest: "expired"};
  if (row.kind === "fate") return {name: "wire", rest: sentence(event, store)};
  if (row.kind === "gap") return {name: "gap", rest: gapText(data.lost)};
  if (typeof data.words === "string") return {name: event.name.replace(":", " "), rest: data.words};
  const facts = Object.entries(data).filter(([key, value]) => !["because", "head", "text"].includes(key) && typeof value !== "object")
    .map(([key, value]) => factShown(key, value)).join(", ");
  return {name: event.name.replace(":", " "), rest: [data.text, facts].filter(Boolean).join("  ")};
}

/** A value of an event, for people: `delay_s` is "delay 15 ms". */
export function factShown(key, value) {
  if (value === true) return key;
  if (typeof value !== "number") return `${key} ${value}`;
  return key.endsWith("_s") ? `${key.slice(0, -2)} ${spanShown(value)}` : `${key} ${Number(value.toPrecision(10))}`;
}

export const gapText = ([a, b]) => `${b - a + 1} events were skipped or are no longer kept (${a} to ${b})`;

function callText(row) {
  const {data} = row.event, asked = data.octets ?? data.len;
  const result = row.result ? row.result.data.result : data.result;
  const size = asked === undefined || (data.call === "RECEIVE" && Number.isFinite(result)) ? "" : ` ${asked}`;
  return {name: `${data.call}${size}`, rest: result === undefined || result === asked ? "" : `→ ${result}`};
}

/** The sentence of a record: that of its reason, drop or name. */
export function sentence(record, store) {
  const {data} = record;
  if (record.name === "host:drop") return `Dropped: ${data.meaning || store.words.drops[data.reason] || data.reason}.`;
  if (data.sentence) return seenSentence(record);
  return String(record.sentence || store.words.reasons[data.because] || data.because || store.words.names[record.name] || "");
}

/** What is said of a frame in a capture: a fact, a guess with its rule, a comment, or an inferred state. */
function seenSentence({name, data}) {
  if (name === "seen:comment") return `Comment: ${data.sentence}`;
  if (data.inferred) return `Inferred: ${stateName(data.after)}, ${data.sentence}`;
  return data.certain === false ? `Guess: ${data.sentence} Rule: ${data.rule}` : String(data.sentence);
}

/** The decisions of a row that have something to say to people, the weightiest first. */
export function reasonsOf(row, store) {
  const said = row.decisions.filter((record) => tells(record, row) && sentence(record, store));
  return said.sort((a, b) => weight(b, row) - weight(a, row) || (a.name === "tcp:state" ? b.n - a.n : a.n - b.n));
}

function tells(record, row) {
  const {name, data} = record;
  if (UNSAID.has(name) || (name === "host:result" && !data.because)) return false;
  if (name === "tcp:timer") return data.action === "fired" && record !== row.event;
  if (name === "wire:fate") return data.because !== "wire_delayed";
  if (name === "tcp:ack") return data.decision !== "none" || row.decisions.length < 4;
  return name !== "tcp:blocked" || Boolean(data.unsent);
}

const WEIGHTS = {"host:drop": 9, "seen:mark": 8, "seen:note": 6, "seen:comment": 5,
  "wire:fate": 10, "tcp:state": 7, "tcp:loss": 7, "tcp:reset": 7, "tcp:recovery": 6, "tcp:undo": 6,
  "tcp:ack": 4, "tcp:send": 4, "icmp:sent": 5, "icmp:taken": 5, "arp:entry": 5, "arp:answer": 5, "tcp:rtt": 1, "tcp:window": 2};

function weight(record, row) {
  if (record.name === "tcp:send") return row.dir === "out" ? 8 : 3;
  return WEIGHTS[record.name] ?? 3;
}

/** The sentence that says most about a row, with its clauses. @returns {{text: string, why: string[], plain?: boolean}} */
export function whyOf(row, store) {
  const first = row.kind === "frame" ? reasonsOf(row, store)[0] : row.event;
  if (!first) return {text: doneText(row), why: [], plain: true};
  const text = row.kind === "gap" ? gapText(row.event.data.lost) : sentence(first, store);
  return {text, why: (first.why || []).filter((id) => id !== "own"), plain: !first.data.because && first.name !== "host:drop"};
}

/** The records to tell of a row in whole sentences, at most three, none twice. */
export function saidOf(row, store) {
  const told = new Set(), said = [];
  for (const record of [...(row.kind === "frame" ? [] : [row.event]), ...reasonsOf(row, store)]) {
    const text = sentence(record, store);
    if (!told.has(text) && said.length < 3) said.push(record);
    told.add(text);
  }
  return said;
}

/** What became of a frame that nothing else is said of. */
function doneText(row) {
  const done = row.decisions.find((record) => record.name === "host:done");
  if (!done) return "";
  const {verdict, to} = done.data;
  return to ? `${verdict} to ${to}` : String(verdict);
}

/** The row as one sentence, for its label: "frame 7, from the kernel, PSH,ACK, 6 octets, ...". */
export function rowLabel(row, store) {
  const parts = [];
  if (row.frame) {
    const {name, rest} = arrowText(row, store);
    parts.push(`frame ${row.n}`, row.dir === "in" ? `from ${store.hello?.peer || "the kernel"}` : `from ${store.ourName}`, name, rest);
    if (row.again) parts.push(AGAIN[row.again]);
    if (row.lost) parts.push("lost on the wire");
  } else {
    const {name, rest} = noteText(row, store);
    parts.push({call: "call of the program", timer: "timer", lab: "inspector", note: "event"}[row.kind] || row.kind, name, rest);
  }
  if (row.changed.ours) parts.push(`${store.ourName} is in ${stateName(row.states.ours)}`);
  if (row.changed.peer) parts.push(`${store.hello?.peer || "the kernel"} is in ${stateName(row.states.peer)}`);
  parts.push(whyOf(row, store).text);
  return parts.filter(Boolean).join(", ").replace(/\s+/g, " ");
}

/** The lower-case text that the filter looks at. */
export function searchText(row, store) {
  if (row.search === undefined) {
    const drops = row.decisions.filter((record) => record.name === "host:drop").map((record) => `drop ${record.data.reason}`);
    row.search = `${row.group} ${row.kind} ${row.frame?.kind || ""} ${rowLabel(row, store)} ${drops.join(" ")}`.toLowerCase();
  }
  return row.search;
}
