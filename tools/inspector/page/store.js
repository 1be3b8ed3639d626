/**
 * What the page knows: the records, the rows made of them, the chosen row, what is shown.
 *
 * All panels read this and nothing else. A live page and a report fill it by the same `take`.
 */

import {firstPlace} from "./model.js";
import {RowMaker} from "./rows.js";
import {rowLabel, searchText} from "./text.js";
import {useLayoutEffect, useState} from "./vendor/preact-htm.js";

const MOST_EVENTS = 200000;
const FORGET_AT_ONCE = 2000;
const SLICE_MS = 8;
const LADDER_MS = 45; // how often the ladder is drawn anew while events stream in
const CATCHING_UP_MS = 300; // the same while many records wait
const MANY_BATCHES = 3;
const PANEL_MS = 120; // how often a panel is drawn anew while events stream in

export class Store {
  constructor() {
    /** @type {Map<number, object>} records by n */
    this.events = new Map();
    this.maker = new RowMaker((row) => this.reconsider(row));
    this.live = true;
    this.follow = "";
    this.filter = "";
    this.absolute = false; // numbers
    this.delta = false; // times since the row before
    this.startAt = 0;
    this.forgotten = 0; // shown rows that have left
    this.focusRow = this.showRow = false;
    this.hello = null;
    this.online = false;
    this.ended = false; // the host has ended
    this.report = false;
    this.slow = {};
    this.words = {reasons: {}, names: {}, drops: {}, ports: {}};
    this.wordsVersion = 0;
    this.count = 0;
    this.lostCount = 0;
    this.firstN = this.lastN = 0;
    this.toldN = 0; // the last number that was told, be it of an event or of a gap
    this.said = ""; // for the live region, after a step
    /** places of the rows that pass `follow` and `filter` @type {number[]} */
    this.visible = [];
    this.scanAt = 0;
    this.chosen = -1;
    this.queue = [];
    this.subscribers = new Map();
    this.scheduled = this.userTurn = this.pumping = false;
    this.toldAt = this.calmAt = this.timer = 0;
  }

  // --- reading

  get rows() {
    return this.maker.rows;
  }

  get connections() {
    return this.maker.connections;
  }

  /** The chosen row; the last one that is shown while the page is live. */
  get row() {
    const i = this.live && this.chosen < 0 ? this.visible[this.visible.length - 1] : this.chosen;
    return i === undefined || i < 0 ? null : this.maker.row(i) || null;
  }

  /** The connection that the panels show: that of the chosen row, else the followed one, else the last one. */
  get group() {
    const {row} = this;
    if (row && this.connections.has(row.group)) return row.group;
    if (this.connections.has(this.follow)) return this.follow;
    const before = row && this.maker.before(row, (other) => this.connections.has(other.group));
    return before ? before.group : "";
  }

  get peerName() {
    return this.hello?.peer || "kernel";
  }

  get ourName() {
    return this.hello?.ours || "our host";
  }

  /** The number of the last event that belongs to the chosen row. */
  get now() {
    const {row} = this;
    if (!row) return this.lastN;
    const next = this.maker.row(row.i + 1);
    return next ? next.n - 1 : this.lastN;
  }

  /** The variables of a connection's TCB after event `n`. */
  tcb(group, n = this.now) {
    const conn = this.connections.get(group);
    return conn ? conn.fold.at(n) : {};
  }

  /** The timers of a connection after event `n`: by name, the last tcp:timer data with its `at` and `n`. */
  timers(group, n = this.now) {
    const conn = this.connections.get(group);
    return conn ? conn.timers.at(n) : {};
  }

  segments(group) {
    const conn = this.connections.get(group);
    return conn ? conn.segments : [];
  }

  /** The clauses of the RFCs by id, fetched once. @returns {Promise<object>} */
  clauses() {
    this.clausesPromise ||= this.report
      ? Promise.resolve(JSON.parse(document.getElementById("clauses")?.textContent || "{}"))
      : fetch("clauses.json").then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({}));
    return this.clausesPromise;
  }

  // --- choosing

  /** Choose the row at place `i`, and stay there. */
  select(i) {
    if (!this.maker.row(i)) return;
    this.chosen = i;
    this.live = false;
    this.notify(true);
  }

  step(by) {
    const {visible} = this;
    if (!visible.length) return;
    const {row} = this;
    let place = row ? this.placeOf(row.i) : visible.length - 1;
    if (row && visible[place] !== row.i && by > 0) place -= 1;
    this.stepTo(Math.max(0, Math.min(visible.length - 1, place + by)));
  }

  stepTo(place) {
    const row = this.maker.row(this.visible[place]);
    if (!row) return;
    this.said = rowLabel(row, this);
    this.focusRow = this.showRow = true;
    this.select(row.i);
  }

  /** Whether the chosen row is to have the focus: asked once after a step. */
  takeFocus() {
    const {focusRow} = this;
    this.focusRow = false;
    return focusRow;
  }

  /** Go to the next (or previous) row of the same connection. */
  stepSame(by) {
    const {row} = this;
    if (!row) return;
    let place = this.placeOf(row.i) + by;
    while (this.visible[place] !== undefined && this.maker.row(this.visible[place])?.group !== row.group) place += by;
    if (this.visible[place] !== undefined) this.stepTo(place);
  }

  /** The first place in `visible` at or behind row `i`. */
  placeOf(i) {
    return firstPlace(this.visible.length, (place) => this.visible[place] < i);
  }

  /** Stop following the newest row, or follow it again. */
  pause() {
    if (this.live) this.chosen = this.row ? this.row.i : -1;
    else this.chosen = -1;
    this.live = !this.live;
    this.notify(true);
  }

  /** Show one connection, or all (""). */
  setFollow(group) {
    this.follow = group;
    this.rescan();
  }

  setFilter(text) {
    this.filter = text;
    this.rescan();
  }

  toggleTime() {
    this.delta = !this.delta;
    this.notify(true);
  }

  toggleNumbers() {
    this.absolute = !this.absolute;
    this.notify(true);
  }

  /** POST an order to the inspector. @returns {Promise<object>} its answer; `{error}` if it failed */
  async send(order) {
    try {
      const answer = await fetch("do", {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(order)});
      const text = await answer.text();
      return answer.ok ? JSON.parse(text || "{}") : {error: text || answer.statusText};
    } catch (error) {
      return {error: String(error)};
    }
  }

  // --- filling

  /** Take records, or text with them, in slices that leave time for keys. @param {Function|object[]} batch */
  take(batch) {
    this.queue.push({batch, taken: 0});
    if (!this.pumping) {
      this.pumping = true;
      this.pump();
    }
  }

  pump() {
    const until = performance.now() + SLICE_MS;
    while (this.queue.length && performance.now() < until) this.applySome(until);
    this.scan(performance.now() + SLICE_MS / 2);
    this.notify(false);
    if (this.queue.length || this.scanAt < this.maker.base + this.rows.length) later(() => this.pump());
    else this.pumping = false;
  }

  applySome(until) {
    const next = this.queue[0];
    if (typeof next.batch === "function") next.batch = next.batch();
    if (!Array.isArray(next.batch)) next.batch = [];
    const {batch} = next;
    while (next.taken < batch.length) {
      this.apply(batch[next.taken]);
      next.taken += 1;
      if (next.taken % 32 === 0 && performance.now() > until) return;
    }
    this.queue.shift();
  }

  /** Take one record. A malformed one is left out. */
  apply(record) {
    if (!wellFormed(record)) return;
    if (record.name === "gap") {
      const [first, last] = [Math.max(record.data.lost[0], this.toldN + 1), record.data.lost[1]];
      if (first > last) return;
      this.toldN = last;
      this.lostCount += last - first + 1;
      this.maker.gap(first, last, record.at || (this.rows.at(-1)?.at ?? 0));
      return;
    }
    if (record.n <= this.toldN) return; // told before: the stream was resumed
    this.events.set(record.n, record);
    this.toldN = this.lastN = record.n;
    this.firstN ||= record.n;
    if (!this.count) this.startAt = record.at;
    this.count += 1;
    try {
      this.maker.take(record);
    } catch (error) {
      console.error("record", record.n, error);
    }
    if (this.events.size > MOST_EVENTS) this.forget();
  }

  forget() {
    const until = this.firstN + FORGET_AT_ONCE;
    for (; this.firstN < until; this.firstN++) this.events.delete(this.firstN);
    this.maker.forget(until);
    const {base} = this.maker;
    this.forgotten += this.visible.splice(0, this.placeOf(base)).length;
    this.scanAt = Math.max(this.scanAt, base);
    if (this.chosen >= 0 && this.chosen < base) this.chosen = base;
  }

  /** What changes slowly: `{look: {name: value}}`, only what differs; null for a value that is gone. */
  takeState(state) {
    for (const [look, values] of Object.entries(state || {})) {
      if (!values || typeof values !== "object") continue;
      const merged = {...this.slow[look]};
      for (const [name, value] of Object.entries(values)) {
        if (value === null) delete merged[name];
        else merged[name] = value;
      }
      this.slow = {...this.slow, [look]: merged};
    }
    if (state?.kernel) this.maker.kernelSays(state.kernel);
    this.notify(false);
  }

  // --- what is shown

  rescan() {
    this.visible = [];
    this.scanAt = this.maker.base;
    this.notify(true);
    if (!this.pumping) {
      this.pumping = true;
      this.pump();
    }
  }

  scan(until) {
    const end = this.maker.base + this.rows.length;
    if (!this.filter && !this.follow) {
      while (this.scanAt < end) this.visible.push(this.scanAt++);
      return;
    }
    this.tests = filterTests(this.filter);
    for (let count = 0; this.scanAt < end; this.scanAt++, count++) {
      if (count % 64 === 63 && performance.now() > until) return;
      if (this.passes(this.maker.row(this.scanAt))) this.visible.push(this.scanAt);
    }
  }

  passes(row) {
    if (this.follow && row.group !== this.follow && row.kind !== "gap" && row.kind !== "lab") return false;
    return !this.tests?.length || this.tests.every((test) => test(row, searchText(row, this)));
  }

  /** A row has got more decisions: it may pass the filter now. */
  reconsider(row) {
    row.search = undefined;
    if (row.i >= this.scanAt || (!this.follow && !this.filter)) return;
    const place = this.placeOf(row.i);
    if (this.visible[place] !== row.i && this.passes(row)) this.visible.splice(place, 0, row.i);
  }

  // --- telling

  /** Call `fn` after changes: at most once a frame; a panel ("calm") less often while events stream in. */
  subscribe(fn, calm = false) {
    this.subscribers.set(fn, calm);
    return () => this.subscribers.delete(fn);
  }

  notify(byUser) {
    this.userTurn ||= byUser;
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.tell());
  }

  tell() {
    const now = performance.now(), {userTurn} = this;
    this.scheduled = false;
    const pause = this.queue.length > MANY_BATCHES ? CATCHING_UP_MS : LADDER_MS;
    if (!userTurn && now - this.toldAt < pause) return this.tellLater(pause);
    const all = userTurn || now - this.calmAt >= PANEL_MS;
    this.userTurn = false;
    this.toldAt = now;
    if (all) this.calmAt = now;
    else this.tellLater(PANEL_MS);
    for (const [fn, calm] of this.subscribers) if (all || !calm) fn();
    return undefined;
  }

  tellLater(ms) {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.notify(false);
    }, ms);
  }
}

function wellFormed(r) {
  return Boolean(r) && typeof r === "object" && typeof r.name === "string" && Number.isFinite(r.n)
    && Boolean(r.data) && typeof r.data === "object" && Number.isFinite(r.at) && (r.name === "gap" || Array.isArray(r.why));
}

function filterTests(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    if (/^c\d+$/.test(word)) return (row) => row.group === word;
    if (word.length > 1 && word[0] === "-") return (row, said) => !said.includes(word.slice(1));
    return (row, said) => said.includes(word);
  });
}

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** Call `fn` after the events that wait: unlike a timer, without a delay that grows. */
export function later(fn) {
  waiting.push(fn);
  channel.port2.postMessage(0);
}

/** A hook: draws the component anew when the store has changed. Ladder and header pass `calm` false. */
export function useStore(store, calm = true) {
  const [, draw] = useState(0);
  useLayoutEffect(() => store.subscribe(() => draw((count) => count + 1), calm), [store, calm]);
  return store;
}
