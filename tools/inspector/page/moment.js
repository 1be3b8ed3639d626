/** What the panels of a connection share: the moment of the chosen row, its clock, and relative numbers. */

import {firstPlace, seqDiff} from "./model.js";
import {useEffect, useState} from "./vendor/preact-htm.js";

/**
 * The number of the last event that belongs to the chosen row.
 *
 * The variables of a TCB are told at the end of a batch, after the frames that the batch sends: so
 * what a row led to may stand behind later rows.
 * @param {import("./store.js").Store} store
 */
export function momentOf(store) {
  const {row, group} = store;
  if (!row) return store.lastN;
  let last = store.now;
  const cause = row.dir === "out" ? store.maker.frames.get(row.event.frame) : row;
  for (const record of (cause || row).decisions) {
    if (record.name === "tcp:delta" && record.group_id === group && record.n > last) last = record.n;
  }
  return last;
}

/** The row that event `n` belongs to: that of the frame that caused it, or the last one before it. */
export function rowOfEvent(store, n) {
  const cause = store.events.get(n)?.frame;
  const row = store.maker.frames.get(n) || (cause && store.maker.frames.get(cause));
  if (row) return row;
  const {rows} = store;
  return rows[firstPlace(rows.length, (place) => rows[place].n <= n) - 1] || null;
}

/** When event `n` was told, in seconds since the first event that is kept. */
export function secondsOf(store, n) {
  const at = store.events.get(n)?.at ?? rowOfEvent(store, n)?.at;
  return at === undefined ? null : (at - store.startAt) / 1000;
}

const heard = {n: -1, at: 0, by: 0};

/** The time of the chosen row, in ms; while the page is live it goes on from the last event. */
export function clockOf(store) {
  const {row} = store;
  if (!row || !store.live || store.report || store.ended || !store.online) return row ? row.at : store.startAt;
  if (heard.n !== store.lastN) {
    heard.n = store.lastN;
    heard.at = store.events.get(store.lastN)?.at ?? row.at;
    heard.by = performance.now();
  }
  return heard.at + performance.now() - heard.by;
}

/** Draw anew every `ms` while `active`; where less motion is asked for, once a second. */
export function useTicks(active, ms) {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!active) return undefined;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const timer = setInterval(() => draw((count) => count + 1), calm ? 1000 : ms);
    return () => clearInterval(timer);
  }, [active, ms]);
}

/** A sequence number as it is shown: relative to the first one, unless the page shows absolute ones. */
export function numberShown(store, number, zero) {
  if (typeof number !== "number") return "–";
  return store.absolute || typeof zero !== "number" ? number : seqDiff(number, zero);
}

/** "0.040 s" @param {number|null} seconds */
export const secondsShown = (seconds) => (seconds === null ? "?" : `${seconds.toFixed(3)} s`);

/** "40.0 ms" or "1.2 s" */
export function spanShown(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return "–";
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;
}
