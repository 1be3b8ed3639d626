/** Records for the tests of the page's modules: frames with real headers, and what a host tells of them. */

export const SYN = 2, ACK = 16, PSH = 8, FIN = 1, RST = 4;

/** Fail with what was and what should be, if the two differ. */
export function same(found, wanted, about = "") {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${about} ${a} instead of ${b}`);
}

export function base64(octets) {
  return btoa(String.fromCharCode(...octets));
}

const word = (number) => [(number >>> 8) & 255, number & 255];
const long = (number) => [...word(number >>> 16), ...word(number)];

/** The head of a frame with a TCP segment. In: from 10.9.0.1:5000 to 10.9.0.2:80. */
export function segmentHead({dir = "in", seq = 0, ack = 0, flags = ACK, window = 1000, data = "", options = []}) {
  const [from, to] = dir === "in" ? [[10, 9, 0, 1], [10, 9, 0, 2]] : [[10, 9, 0, 2], [10, 9, 0, 1]];
  const [sport, dport] = dir === "in" ? [5000, 80] : [80, 5000];
  const octets = Array.from(data, (character) => character.charCodeAt(0));
  const header = 20 + options.length, total = 20 + header + octets.length;
  return [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, ...word(total), 0, 0, 0x40, 0, 64, 6, 0, 0, ...from, ...to,
    ...word(sport), ...word(dport), ...long(seq), ...long(ack), header << 2, flags, ...word(window), 0, 0, 0, 0, ...options, ...octets];
}

/** Makes records with numbers and times that grow. */
export class Log {
  constructor() {
    this.n = 0;
    this.records = [];
  }

  tell(name, data = {}, {group = "tap0", frame = 0, cause = "frame", why = ["own"]} = {}) {
    this.n += 1;
    this.records.push({n: this.n, time: this.n, at: this.n, name, group_id: group, frame, cause, data, why, host: "host"});
    return this.n;
  }

  /** A frame with a segment; returns its number. */
  segment(facts, about = {}) {
    const head = segmentHead(facts), n = this.n + 1;
    const data = {dir: facts.dir || "in", link: "ethernet", len: head.length, head: base64(head.slice(0, 128))};
    return this.tell("wire:frame", data, {frame: facts.dir === "out" ? 0 : n, ...about});
  }

  /** The handshake of c1, passive: the peer begins at 100, our host at 500. */
  handshake() {
    const syn = this.segment({seq: 100, flags: SYN});
    this.tell("tcp:open", {local: "10.9.0.2:80", remote: "10.9.0.1:5000", passive: true, state: "CLOSED"}, {group: "c1", frame: syn});
    this.tell("tcp:state", {before: "CLOSED", event: "PASSIVE_OPEN", after: "LISTEN", because: "passive_open"}, {group: "c1", frame: syn});
    this.tell("tcp:agreed", {iss: 500, irs: 100, window_scale: false}, {group: "c1", frame: syn});
    this.tell("tcp:state", {before: "LISTEN", event: "RCV_SYN", after: "SYN_RECEIVED", because: "rcv_syn"}, {group: "c1", frame: syn});
    this.tell("tcp:send", {seq: 500, len: 0, flags: "SYN,ACK", again: false, because: "send_syn_ack"}, {group: "c1", frame: syn});
    this.segment({dir: "out", seq: 500, ack: 101, flags: SYN | ACK}, {frame: syn});
    const ack = this.segment({seq: 101, ack: 501});
    this.tell("tcp:state", {before: "SYN_RECEIVED", event: "RCV_ACK_OF_SYN", after: "ESTABLISHED", because: "rcv_ack_of_syn"}, {group: "c1", frame: ack});
    return this;
  }
}
