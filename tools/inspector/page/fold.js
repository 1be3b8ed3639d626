/**
 * The variables of one connection's TCB as they were after any event.
 *
 * Every 64th change keeps a copy of all variables, so that going back costs at most 64 small steps.
 */

import {firstPlace} from "./model.js";

const EVERY = 64;
/** The objects that a TCB has only for a time: null says that one is gone, and with it its variables. */
const FOR_A_TIME = ["ecn", "loss", "pacer", "rack", "sack_reporter", "scoreboard", "user_timeout"];

export class TcbFold {
  constructor() {
    /** @type {number[]} */
    this.ns = [];
    /** @type {object[]} the changes, in order */
    this.changes = [];
    /** @type {object[]} the values before each 64th change */
    this.points = [];
    this.last = {};
  }

  /** Add the variables that event `n` changed. @param {number} n @param {object} change */
  add(n, change) {
    if (this.ns.length % EVERY === 0) this.points.push({...this.last});
    this.ns.push(n);
    for (const part of FOR_A_TIME) if (change[part] === null) change = this.without(part, change);
    this.changes.push(change);
    Object.assign(this.last, change);
  }

  /** The change with null for each variable of an object that is gone. */
  without(part, change) {
    const {[part]: gone, ...rest} = change;
    for (const name of Object.keys(this.last)) if (name.startsWith(`${part}.`)) rest[name] = gone;
    return rest;
  }

  /** How many changes there were up to event `n`. @param {number} n */
  upTo(n) {
    return firstPlace(this.ns.length, (place) => this.ns[place] <= n);
  }

  /** The values after event `n`. @param {number} n @returns {object} */
  at(n) {
    const count = this.upTo(n);
    if (!count) return {...(this.points[0] || {})};
    const point = Math.floor((count - 1) / EVERY);
    const values = {...this.points[point]};
    for (let i = point * EVERY; i < count; i++) Object.assign(values, this.changes[i]);
    return values;
  }

  /** Forget the changes before event `n`, but not what they led to. @param {number} n */
  forget(n) {
    const whole = Math.floor(this.upTo(n) / EVERY);
    if (!whole) return;
    this.ns.splice(0, whole * EVERY);
    this.changes.splice(0, whole * EVERY);
    this.points.splice(0, whole);
    if (!this.points.length) this.points.push({...this.last});
  }
}
