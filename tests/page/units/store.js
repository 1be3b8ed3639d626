/** The store: order, filter, steps, bounds, hostile records. */

import {Store} from "../page/store.js";
import {arrowText, rowLabel} from "../page/text.js";
import {Log, PSH, ACK, same} from "./made.js";

const drawn = () => new Promise(requestAnimationFrame);

async function filled(log) {
  const store = new Store();
  store.take(log.records);
  while (store.pumping) await drawn();
  return store;
}

export const tests = {
  async "live shows the last row, and a pause stays at it"() {
    const log = new Log().handshake(), store = await filled(log);
    same(store.row.i, 2);
    store.pause();
    log.records = [];
    log.segment({seq: 101, ack: 501, data: "late"});
    store.take(log.records);
    while (store.pumping) await drawn();
    same([store.live, store.row.i, store.rows.length], [false, 2, 4]);
    store.pause();
    same([store.live, store.row.i], [true, 3]);
  },
  async "steps go over the rows that are shown"() {
    const log = new Log().handshake();
    log.tell("host:call", {call: "LISTEN"}, {group: "0.0.0.0:7", cause: "call"});
    log.segment({seq: 101, ack: 501, data: "x"});
    const store = await filled(log);
    store.step(-Infinity);
    same(store.row.i, 0);
    store.step(1);
    store.step(1);
    store.stepSame(1);
    same(store.row.i, 4, "J skips the call");
    store.step(1);
    same(store.row.i, 4, "there is no further one");
    store.step(-1);
    same(store.row.i, 3);
  },
  async "a filter shows the rows that have all words, also while more come"() {
    const log = new Log().handshake(), store = await filled(log);
    store.setFilter("syn -ack");
    while (store.pumping) await drawn();
    same(store.visible, [0].filter(() => rowLabel(store.rows[0], store).toLowerCase().includes("ack") === false));
    store.setFilter("dropped");
    while (store.pumping) await drawn();
    same(store.visible, []);
    log.records = [];
    const n = log.segment({seq: 101, ack: 501});
    store.take(log.records.splice(0));
    while (store.pumping) await drawn();
    same(store.visible, [], "nothing is said of it yet");
    log.tell("host:drop", {reason: "tcp_paws", meaning: "old"}, {frame: n});
    store.take(log.records.splice(0));
    while (store.pumping) await drawn();
    same(store.visible, [3]);
  },
  async "following a connection hides the others"() {
    const log = new Log().handshake();
    log.tell("host:call", {call: "LISTEN"}, {group: "0.0.0.0:7", cause: "call"});
    const store = await filled(log);
    store.setFollow("c1");
    while (store.pumping) await drawn();
    same(store.visible, [0, 1, 2]);
  },
  async "numbers are relative to both SYNs, or absolute"() {
    const log = new Log().handshake();
    log.segment({seq: 101, ack: 501, flags: PSH | ACK, data: "hello\n"});
    const store = await filled(log), row = store.rows[3];
    same(arrowText(row, store), {name: "PSH,ACK", rest: '1:7 (6)  ack 1  "hello\\n"'});
    store.toggleNumbers();
    same(arrowText(row, store).rest, '101:107 (6)  ack 501  "hello\\n"');
  },
  async "records that came before, or are malformed, are left out"() {
    const log = new Log().handshake();
    const hostile = [null, 1, "x", {}, {n: 1}, {n: NaN, name: "a", data: {}, at: 1}, {n: 99, name: "tcp:state", data: null, at: 1},
      {n: 50, at: 50, time: 50, name: "tcp:delta", group_id: "__proto__", frame: 0, cause: "frame", data: {}, why: []},
      {n: 51, at: 51, time: 51, name: "host:drop", group_id: "c1", frame: "x", cause: {}, data: {reason: {}, because: {}}, why: []},
      {n: 52, at: 52, time: 52, name: "wire:frame", group_id: "c1", frame: 0, cause: "", data: {head: {}, len: "x"}, why: null}];
    const store = await filled({records: [...log.records, ...log.records, ...hostile]});
    same(store.count, log.records.length + 2);
    for (const row of store.rows) rowLabel(row, store);
  },
  async "a gap is a row, and is counted"() {
    const log = new Log().handshake(), store = await filled(log);
    store.take([{n: 20, at: 0, name: "gap", data: {lost: [11, 20]}}]);
    while (store.pumping) await drawn();
    same([store.rows.at(-1).kind, store.lostCount], ["gap", 10]);
  },
  async "what a gap tells twice, or of events that are here, is counted once"() {
    const store = new Store(), gap = (first, last) => ({n: last, at: 0, name: "gap", data: {lost: [first, last]}});
    const call = (n) => ({n, at: n, time: n, name: "host:call", group_id: "x", frame: 0, cause: "call", data: {call: "SEND"}, why: []});
    for (const record of [call(1), call(2), gap(2, 9), gap(2, 9), call(7), gap(5, 12), call(13)]) store.apply(record);
    same([store.count, store.lostCount, store.toldN, store.lastN], [3, 10, 13, 13]);
    same(store.rows.map((row) => row.event.data.lost || row.n), [1, 2, [3, 9], [10, 12], 13]);
  },
  async "memory is bounded, and the chosen row stays in the log"() {
    const store = new Store();
    for (let n = 1; n <= 230000; n++) {
      store.apply({n, at: n, time: n, name: "host:call", group_id: "x", frame: 0, cause: "call", data: {call: "SEND"}, why: []});
      if (n === 100) [store.live, store.chosen] = [false, 50];
    }
    store.scan(Infinity);
    if (store.events.size > 200000) throw new Error(`${store.events.size} events`);
    same([store.events.size, store.rows.length, store.row.n, store.visible[0]], [200000, 200000, 30001, 30000]);
  },
  async "the slow state is merged, and what is gone leaves"() {
    const store = new Store();
    store.takeState({host: {routes: [1], arp: [2]}, wire: {loss: 0}});
    store.takeState({host: {routes: null}, wire: {loss: 0.5}});
    same(store.slow, {host: {arp: [2]}, wire: {loss: 0.5}});
  },
};
