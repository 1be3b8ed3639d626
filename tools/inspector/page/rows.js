/**
 * Turns the event log into the rows of the ladder and the connections.
 *
 * A row is a frame, a call of the program, a timer that expired, a fate on the wire, an event of the
 * inspector, a gap or a note. All other events are decisions: each is attached to the row that
 * caused it and, if it explains a frame that leaves, to the row of that frame.
 */

import {TcbFold} from "./fold.js";
import {ACK, FIN, SYN, parseHead, seqDiff, stateOfKernel} from "./model.js";
import {PeerState} from "./peer_state.js";

/**
 * @typedef {object} Row
 * @property {number} i  its place among all rows, from 0
 * @property {number} n  the number of its event
 * @property {number} at  when it was told, in ms
 * @property {number} time  the host's time, in ms
 * @property {"frame"|"call"|"timer"|"fate"|"lab"|"gap"|"note"} kind
 * @property {string} group  the connection, or what else it belongs to
 * @property {"in"|"out"|""} dir
 * @property {boolean} lost  whether the wire lost it
 * @property {object} event  the record
 * @property {object[]} decisions  the records that this row caused, or that explain it
 * @property {object|null} frame  what `parseHead` reads
 * @property {object|null} tcp  the TCP header, if it is a segment
 * @property {{ours: string, peer: string, inferred: boolean}} states  after this row
 * @property {{ours: boolean, peer: boolean}} changed  which of them this row changed
 * @property {string} again  why it was sent again: "rto", "fast", "tail", "probe", "other", "seen", or ""
 * @property {object|null} result  of a call: the record of its result
 * @property {number} version  counts its changes
 */

/** Decisions that explain the frame that leaves next. */
const EXPLAINS = new Set(["tcp:send", "tcp:reset", "icmp:sent", "arp:ask", "arp:answer", "udp:sent", "dhcp:send",
  "ip:ident", "ip:fragment", "ip:route", "acd:state", "dhcp:probe"]);
const KNOWN = /^(wire|host|arp|acd|ip|icmp|udp|tcp|dhcp|lab|seen):/;
const NOT_LOST = new Set(["wire_delayed", "wire_duplicated", "wire_corrupted", "wire_held_back"]);
/** The marks of a capture that say that octets were sent before. */
const MARKED_AGAIN = {again: "seen", fast: "fast", by_sack: "fast", after_timeout: "rto", spurious: "other",
  zero_window_probe: "probe", keep_alive: "probe"};
const MOST_CONNECTIONS = 20000;
const MOST_SEGMENTS = 100000;
const KERNEL_OLD_MS = 1500;

/** Why a segment goes again, in the classes that the page tells apart. @param {string} because */
export function againKind(because) {
  if (/probe_not_taken|early|too_big|asked|challenged/.test(because)) return "other";
  if (/tail_probe/.test(because)) return "tail";
  if (/probe|keepalive/.test(because)) return "probe";
  if (/timeout/.test(because)) return "rto";
  return /duplicates|partial|sack|rack/.test(because) ? "fast" : "other";
}

export class RowMaker {
  /** @param {(row: Row) => void} changed is called with a row that has got more decisions */
  constructor(changed = () => {}) {
    this.changed = changed;
    /** @type {Row[]} */
    this.rows = [];
    this.base = 0; // the place of rows[0] among all rows
    this.connections = new Map();
    this.byKey = new Map();
    this.frames = new Map(); // event number -> row
    this.pending = []; // decisions that wait for the frame that they explain
    this.calls = new Map();
    this.lastCall = this.lastTimer = null;
  }

  take(r) {
    if (r.name === "wire:frame") return this.frame(r);
    if (r.name === "wire:fate") return this.fate(r);
    if (r.name === "host:call") return this.call(r);
    if (r.name === "tcp:timer" && r.data.action === "fired") return this.timer(r);
    if (r.name.startsWith("lab:")) return this.add("lab", r, r.group_id);
    if (!KNOWN.test(r.name)) return this.add("note", r, r.group_id);
    if (r.name.startsWith("tcp:")) this.ofConnection(r);
    return this.decision(r);
  }

  /** The events from `a` to `b` are missing. */
  gap(a, b, at) {
    this.pending = [];
    const event = {n: b, at, time: at, name: "gap", group_id: "", frame: 0, cause: "", data: {lost: [a, b]}, why: []};
    return this.add("gap", event, "");
  }

  /** @returns {Row|undefined} */
  row(i) {
    return this.rows[i - this.base];
  }

  add(kind, r, group, dir = "") {
    const row = {i: this.base + this.rows.length, n: r.n, at: r.at, time: r.time, kind, group, dir, lost: false,
      event: r, decisions: [], frame: null, tcp: null, states: {ours: "", peer: "", inferred: true},
      changed: {ours: false, peer: false}, again: "", result: null, version: 0};
    const conn = this.connections.get(group);
    if (conn) this.statesOf(row, conn);
    this.rows.push(row);
    return row;
  }

  statesOf(row, conn) {
    row.states = {ours: conn.state, peer: conn.peer.state, inferred: !conn.kernelSays, captured: conn.captured};
  }

  // --- rows of their own

  frame(r) {
    const row = this.add("frame", r, "", r.data.dir === "in" ? "in" : "out");
    this.frames.set(r.n, row);
    this.parse(row);
    if (row.dir === "out") {
      for (const record of this.pending) if (record.cause === r.cause && record.frame === r.frame) row.decisions.push(record);
      this.pending = [];
      const send = row.decisions.findLast((record) => record.name === "tcp:send");
      if (send && (send.data.again || /probe|keepalive/.test(send.data.because))) row.again = againKind(send.data.because);
      if (row.tcp && send) row.group = send.group_id;
      const cause = this.frames.get(r.frame);
      if (!row.group && cause) row.group = cause.group;
    } else {
      this.pending = [];
    }
    this.segment(row);
    return row;
  }

  fate(r) {
    const lost = r.data.lost === true || !NOT_LOST.has(r.data.because);
    const row = this.frames.get(r.frame);
    if (row) {
      row.decisions.push(r);
      row.version += 1;
      if (lost && !row.lost) this.lose(row);
      if (r.data.because !== "wire_delayed") this.changed(row);
      return row;
    }
    if (r.data.because === "wire_delayed" || r.data.because === "wire_held_back") return null;
    const fate = this.add("fate", r, "", r.data.dir === "in" ? "in" : "out");
    fate.lost = lost;
    this.parse(fate);
    if (lost) this.segment(fate);
    return fate;
  }

  call(r) {
    const row = this.add("call", r, r.group_id);
    this.calls.set(r.group_id, row);
    if (this.calls.size > MOST_CONNECTIONS) this.calls.delete(this.calls.keys().next().value);
    this.lastCall = row;
    return row;
  }

  timer(r) {
    const row = this.add("timer", r, r.group_id);
    this.ofConnection(r);
    this.lastTimer = row;
    return row;
  }

  parse(row) {
    const {data} = row.event;
    row.frame = parseHead(data.head, data.len || 0, data.link);
    row.tcp = row.frame.tcp || null;
    if (!row.tcp) return;
    const {from, to, sport, dport} = row.frame;
    const key = row.dir === "in" ? `${to}:${dport} - ${from}:${sport}` : `${from}:${sport} - ${to}:${dport}`;
    row.group = row.event.data.connection || this.byKey.get(key) || key;
    const conn = this.connections.get(row.group);
    if (conn) this.statesOf(row, conn);
  }

  // --- decisions

  decision(r) {
    const row = this.causeOf(r);
    if (r.name === "host:result" && row) row.result = r;
    if (r.name === "seen:mark" && row) this.mark(row, r.data);
    if (EXPLAINS.has(r.name) || (r.name === "tcp:ack" && (r.data.decision === "now" || r.data.decision === "with data"))) {
      this.pending.push(r);
      if (this.pending.length > 64) this.pending.shift();
    }
    if (!row) return this.withoutCause(r);
    if (row.decisions.length < 500) row.decisions.push(r);
    row.version += 1;
    if (r.name !== "tcp:delta") this.changed(row);
    return null;
  }

  causeOf(r) {
    if (r.frame) return this.frames.get(r.frame);
    if (r.cause === "call") {
      const call = this.calls.get(r.group_id);
      return call || (this.lastCall?.time === r.time ? this.lastCall : null);
    }
    const timer = this.lastTimer;
    return timer && (timer.group === r.group_id || timer.time === r.time) ? timer : null;
  }

  /** An event of a timer without a row: a note, if it says something of its own. */
  withoutCause(r) {
    if (r.name.startsWith("tcp:") || EXPLAINS.has(r.name) || r.name === "host:done") return null;
    return this.add("note", r, r.group_id);
  }

  // --- connections

  ofConnection(r) {
    const {data} = r, group = r.group_id;
    if (r.name === "tcp:open") this.open(r);
    const conn = this.connections.get(group);
    if (!conn) return;
    if (r.name === "tcp:state") this.state(conn, r);
    else if (r.name === "tcp:delta") conn.fold.add(r.n, data);
    else if (r.name === "tcp:timer") conn.timers.add(r.n, {[data.timer]: {...data, at: r.at, n: r.n}});
    else if (r.name === "tcp:iss") conn.iss = data.iss;
    else if (r.name === "tcp:agreed") [conn.iss, conn.irs, conn.agreed] = [data.iss, data.irs, data];
  }

  open(r) {
    const {local, remote, passive} = r.data;
    const conn = {group: r.group_id, local, remote, opened_n: r.n, at: r.at,
      iss: r.data.iss ?? null, irs: r.data.irs ?? null, agreed: null, states: [], passive: Boolean(passive), state: r.data.state || "CLOSED", peer: new PeerState(),
      kernelSays: "", peerChangedAt: 0, captured: Boolean(r.data.captured), peerStates: [],
      fold: new TcbFold(), timers: new TcbFold(), segments: [], seqMax: null};
    this.connections.set(conn.group, conn);
    this.byKey.set(`${local} - ${remote}`, conn.group);
    if (this.connections.size > MOST_CONNECTIONS) this.forgetConnection(this.connections.values().next().value);
    const row = this.frames.get(r.frame);
    if (row && row.tcp && row.dir === "in") {
      row.group = conn.group;
      row.version += 1;
      this.segment(row);
    }
  }

  forgetConnection(conn) {
    this.connections.delete(conn.group);
    const key = `${conn.local} - ${conn.remote}`;
    if (this.byKey.get(key) === conn.group) this.byKey.delete(key);
  }

  state(conn, r) {
    if (r.data.end === "peer") return this.peerState(conn, r);
    const {before, event, after} = r.data;
    conn.states.push({n: r.n, before, event, after});
    conn.state = after;
    conn.fold.add(r.n, {state: after});
    const row = this.causeOf(r);
    if (!row) return;
    row.changed.ours = true;
    for (let i = this.rows.length - 1; i >= 0 && this.rows[i].i >= row.i && i > this.rows.length - 64; i--) {
      const later = this.rows[i];
      if (later.group !== conn.group && later !== row) continue;
      later.states.ours = after;
      later.version += 1;
    }
  }

  /** The state of the other end, as a capture shows it. */
  peerState(conn, r) {
    const {before, event, after} = r.data, row = this.causeOf(r);
    conn.peerStates.push({n: r.n, before, event, after});
    conn.peer.to(after);
    if (!row) return;
    row.changed.peer = true;
    row.states.peer = after;
  }

  /** What is said of a segment in a capture. */
  mark(row, {mark}) {
    const kind = MARKED_AGAIN[mark];
    if (!kind || (row.again && row.again !== "seen")) return;
    row.again = kind;
    if (row.segment) row.segment.again = kind;
  }

  // --- segments and the state of the peer

  segment(row) {
    const {tcp} = row, conn = this.connections.get(row.group);
    if (!tcp || !conn) return;
    const before = conn.peer.state;
    if (row.dir === "in" && conn.irs === null && tcp.flags & SYN) conn.irs = tcp.seq;
    if (conn.captured) {
      // its states and marks follow the frame
    } else if (row.dir === "in") {
      conn.peer.sent(tcp);
      this.seenAgain(row, conn);
    } else if (!row.lost) {
      conn.peer.received(tcp);
    }
    if (conn.peer.state !== before) {
      row.changed.peer = true;
      conn.kernelSays = "";
      conn.peerChangedAt = performance.now();
    }
    this.statesOf(row, conn);
    if (conn.segments.length >= MOST_SEGMENTS) conn.segments.splice(0, MOST_SEGMENTS / 10);
    row.segment = {n: row.n, at: row.at, dir: row.dir, seq: tcp.seq, len: tcp.len, flags: tcp.flags, ack: tcp.ack,
      window: tcp.window, sacks: tcp.sacks, again: row.again, lost: row.lost};
    conn.segments.push(row.segment);
  }

  /** Mark a segment of the peer that lies below what has been seen of it already. */
  seenAgain(row, conn) {
    const {tcp} = row, size = tcp.len + (tcp.flags & (SYN | FIN) ? 1 : 0), end = (tcp.seq + size) >>> 0;
    if (size && conn.seqMax !== null && seqDiff(end, conn.seqMax) <= 0) row.again = "seen";
    if (row.lost) return; // told when it left, before those that are still under way
    if (conn.seqMax === null || seqDiff(end, conn.seqMax) > 0) conn.seqMax = end;
  }

  /** A frame of ours was lost on the wire: the peer has not got it. */
  lose(row) {
    row.lost = true;
    if (row.segment) row.segment.lost = true;
    const conn = this.connections.get(row.group);
    if (!conn || !row.changed.peer) return;
    row.changed.peer = false;
    const earlier = this.before(row, (other) => other.group === row.group);
    conn.peer.to(earlier ? earlier.states.peer : "");
    if (row.tcp.flags & FIN) conn.peer.ourFin = null;
    row.states.peer = conn.peer.state;
  }

  before(row, test) {
    for (let i = row.i - this.base - 1; i >= 0 && i > row.i - this.base - 500; i--) if (test(this.rows[i])) return this.rows[i];
    return null;
  }

  /**
   * What the kernel says of its end (`state.kernel`), by group.
   *
   * It was asked up to a second ago. So what was inferred since then counts for more.
   */
  kernelSays(kernel, now = performance.now()) {
    for (const [group, end] of Object.entries(kernel || {})) {
      const conn = this.connections.get(group), state = end && stateOfKernel(end.state);
      if (!conn || !state || (state !== conn.peer.state && now - conn.peerChangedAt < KERNEL_OLD_MS)) continue;
      conn.kernelSays = state;
      conn.peer.to(state);
    }
  }

  /** Forget the rows and changes before event `n`. */
  forget(n) {
    let count = 0;
    while (count < this.rows.length && this.rows[count].n < n) {
      this.frames.delete(this.rows[count].n);
      count += 1;
    }
    this.rows.splice(0, count);
    this.base += count;
    for (const conn of this.connections.values()) {
      conn.fold.forget(n);
      conn.timers.forget(n);
    }
  }
}
