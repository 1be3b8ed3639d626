/**
 * What the graph of S4 draws of one direction of a connection: points with times in seconds and
 * relative numbers. It grows with the log; what was there is not looked at again.
 */

import {FIN, firstPlace, RST, SYN, seqDiff} from "./model.js";

const INFINITE_SSTHRESH = 2 ** 30;

/** The index of the first x that is not below `value`. @param {number[]} xs */
export function firstAtLeast(xs, value) {
  return firstPlace(xs.length, (place) => xs[place] < value);
}

export class GraphData {
  /** @param {object} conn @param {"in"|"out"} dir which data: what we send ("out"), or what we get */
  constructor(conn, dir) {
    this.conn = conn;
    this.dir = dir;
    this.clear();
  }

  clear() {
    this.taken = this.folded = 0;
    this.firstN = this.conn.segments[0]?.n;
    this.firstFold = this.conn.fold.ns[0];
    this.zero = null;
    this.highest = this.acked = 0;
    this.start = this.conn.segments[0]?.at ?? this.conn.at;
    /** segments with data, SYN, FIN or RST */
    this.segments = {x: [], low: [], high: [], n: [], again: [], lost: [], flags: []};
    this.acks = {x: [], ack: [], edge: []};
    this.sacks = {x: [], low: [], high: []};
    this.flight = {x: [], y: []};
    this.cwnd = {x: [], y: []};
    this.ssthresh = {x: [], y: []};
    this.sums = {segments: 0, octets: 0, lost: 0, again: {}, most: 0};
  }

  /** Take what is new. @returns {boolean} whether something is */
  update(store) {
    const {conn} = this, {segments, fold} = conn;
    if (segments[0]?.n !== this.firstN || fold.ns[0] !== this.firstFold) this.clear();
    const before = this.taken + this.folded;
    for (; this.taken < segments.length; this.taken++) this.segment(segments[this.taken]);
    if (this.dir === "out") for (; this.folded < fold.ns.length; this.folded++) this.change(store, fold.ns[this.folded], fold.changes[this.folded]);
    return this.taken + this.folded > before;
  }

  /** The place of a sequence number, counted from the first one, without wrapping at 2^32. */
  place(number) {
    return this.highest + seqDiff(number, (this.zero + this.highest) >>> 0);
  }

  segment(segment) {
    const {conn, dir} = this, x = (segment.at - this.start) / 1000;
    const zero = dir === "out" ? conn.iss : conn.irs;
    if (this.zero === null) this.zero = zero ?? (segment.dir === dir ? segment.seq : null);
    if (this.zero === null) return;
    if (segment.dir === dir) this.data(segment, x);
    else if (!(segment.flags & RST)) this.ack(segment, x);
  }

  data(segment, x) {
    const {len, flags} = segment, size = len + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    if (!size && !(flags & RST)) return;
    const low = this.place(segment.seq), high = low + size, {segments, sums} = this;
    this.highest = Math.max(this.highest, high);
    segments.x.push(x);
    segments.low.push(low);
    segments.high.push(high);
    segments.n.push(segment.n);
    segments.flags.push(flags);
    segments.again.push(segment.again);
    segments.lost.push(segment);
    sums.segments += 1;
    sums.octets += len;
    if (segment.again) sums.again[segment.again] = (sums.again[segment.again] || 0) + 1;
    this.inFlight(x);
  }

  ack(segment, x) {
    if (!(segment.flags & 16)) return;
    const {conn} = this, ack = this.place(segment.ack);
    const scaled = conn.agreed?.window_scale && !(segment.flags & SYN);
    const shift = scaled ? (this.dir === "out" ? conn.agreed.snd_shift : conn.agreed.rcv_shift) : 0;
    this.acked = Math.max(this.acked, ack);
    this.acks.x.push(x);
    this.acks.ack.push(this.acked);
    this.acks.edge.push(ack + segment.window * 2 ** shift);
    for (const [left, right] of segment.sacks) {
      this.sacks.x.push(x);
      this.sacks.low.push(this.place(left));
      this.sacks.high.push(this.place(right));
    }
    this.inFlight(x);
  }

  inFlight(x) {
    const flight = Math.max(0, this.highest - this.acked);
    this.flight.x.push(x);
    this.flight.y.push(flight);
    this.sums.most = Math.max(this.sums.most, flight);
  }

  /** A change of the TCB: cwnd and ssthresh. */
  change(store, n, change) {
    const cwnd = change["congestion.cwnd"], ssthresh = change["congestion.ssthresh"];
    if (cwnd === undefined && ssthresh === undefined) return;
    const at = store.events.get(n)?.at;
    if (at === undefined) return;
    const x = (at - this.start) / 1000;
    if (cwnd !== undefined) add(this.cwnd, x, cwnd);
    if (ssthresh !== undefined) add(this.ssthresh, x, ssthresh >= INFINITE_SSTHRESH ? null : ssthresh);
  }

  get end() {
    return Math.max(this.segments.x.at(-1) || 0, this.acks.x.at(-1) || 0, 0.001);
  }

  /** The least and greatest number to be seen from `from` to `to`. */
  range(from, to) {
    const {segments, acks} = this;
    let low = Infinity, high = -Infinity;
    for (let i = firstAtLeast(segments.x, from); i < segments.x.length && segments.x[i] <= to; i++) {
      low = Math.min(low, segments.low[i]);
      high = Math.max(high, segments.high[i]);
    }
    for (let i = Math.max(0, firstAtLeast(acks.x, from) - 1); i < acks.x.length && acks.x[i] <= to; i++) {
      low = Math.min(low, acks.ack[i]);
      high = Math.max(high, acks.ack[i]);
    }
    if (low > high) [low, high] = [0, this.highest];
    const room = Math.max((high - low) * 0.08, 8);
    return [Math.max(low - room, -room), high + room];
  }

  /** The greatest value in the strip from `from` to `to`. */
  most(from, to) {
    let most = 1;
    for (const line of [this.flight, this.cwnd, this.ssthresh]) {
      for (let i = Math.max(0, firstAtLeast(line.x, from) - 1); i < line.x.length && line.x[i] <= to; i++) most = Math.max(most, line.y[i] ?? 0);
    }
    return most * 1.1;
  }

  /** How many of the segments the wire lost. */
  get lost() {
    return this.segments.lost.reduce((sum, segment) => sum + (segment.lost ? 1 : 0), 0);
  }

  /** The drawn segment that is nearest to a place. @returns {number} its event number, or 0 */
  nearest(x, y, perX, perY) {
    const {segments} = this, reach = 40 * perX;
    let best = 0, least = Infinity;
    for (let i = firstAtLeast(segments.x, x - reach); i < segments.x.length && segments.x[i] <= x + reach; i++) {
      const above = Math.max(segments.low[i] - y, y - segments.high[i], 0) / perY, beside = Math.abs(segments.x[i] - x) / perX;
      if (above + beside < least) [best, least] = [segments.n[i], above + beside];
    }
    return best;
  }
}

function add(line, x, y) {
  line.x.push(x);
  line.y.push(y);
}
