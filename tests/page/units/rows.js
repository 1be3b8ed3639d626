/** Rows, states of both ends, decisions and retransmissions, from records. */

import {RowMaker, againKind} from "../page/rows.js";
import {parseHead} from "../page/model.js";
import {windowOf} from "../page/text.js";
import {ACK, FIN, Log, PSH, RST, SYN, base64, same, segmentHead} from "./made.js";

function made(log) {
  const maker = new RowMaker();
  for (const record of log.records) maker.take(record);
  return maker;
}

const statesOf = (maker) => maker.rows.map((row) => [row.states.ours, row.states.peer]);

export const tests = {
  "the window of a segment is scaled, and that of a SYN never (RFC 7323 section 2.2)"() {
    const connections = new Map([["c1", {agreed: {window_scale: true, snd_shift: 10, rcv_shift: 3}}]]);
    const shown = [SYN, SYN | ACK, ACK].map((flags) => windowOf({group: "c1", dir: "in", tcp: {flags, window: 64240}}, {connections}));
    same(shown, [64240, 64240, 64240 * 1024]);
  },
  "a segment over IPv6 is read, and its addresses are written as RFC 5952 has them"() {
    const segment = segmentHead({seq: 7, flags: SYN, data: "hello"}).slice(34);
    const head = (from, to) => base64([...Array(12).fill(0), 0x86, 0xdd, 0x60, 0, 0, 0, 0, segment.length, 6, 64, ...from, ...to, ...segment]);
    const one = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], loop = [...Array(15).fill(0), 1];
    const frame = parseHead(head(one, loop), 54 + segment.length);
    same([frame.kind, frame.from, frame.to, frame.tcp.seq, frame.tcp.len, frame.tcp.text], ["tcp", "2001:db8:0:1::1", "::1", 7, 5, '"hello"']);
    same(parseHead(head(Array(16).fill(0), Array(16).fill(255)), 79).from, "::");
    same(parseHead(head(one, loop).slice(0, 40), 79).kind, "other");
  },
  "a handshake has three rows, and the states of both ends"() {
    const maker = made(new Log().handshake());
    same(maker.rows.map((row) => [row.kind, row.dir, row.group]), [["frame", "in", "c1"], ["frame", "out", "c1"], ["frame", "in", "c1"]]);
    same(statesOf(maker), [["SYN_RECEIVED", "SYN_SENT"], ["SYN_RECEIVED", "SYN_SENT"], ["ESTABLISHED", "ESTABLISHED"]]);
    same(maker.rows.map((row) => row.changed), [{ours: true, peer: true}, {ours: false, peer: false}, {ours: true, peer: true}]);
  },
  "the peer is inferred through its own close and ours"() {
    const log = new Log().handshake();
    log.segment({seq: 101, ack: 501, flags: FIN | ACK});
    log.segment({dir: "out", seq: 501, ack: 102});
    log.segment({dir: "out", seq: 501, ack: 102, flags: FIN | ACK});
    log.segment({seq: 102, ack: 502});
    same(statesOf(made(log)).slice(3).map((each) => each[1]), ["FIN_WAIT_1", "FIN_WAIT_2", "FIN_WAIT_2", "TIME_WAIT"]);
  },
  "the peer is inferred when we close first, and when both do"() {
    const log = new Log().handshake();
    log.segment({dir: "out", seq: 501, ack: 101, flags: FIN | ACK});
    log.segment({seq: 101, ack: 502});
    log.segment({seq: 101, ack: 502, flags: FIN | ACK});
    log.segment({dir: "out", seq: 502, ack: 102});
    same(statesOf(made(log)).slice(3).map((each) => each[1]), ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]);
    const both = new Log().handshake();
    both.segment({dir: "out", seq: 501, ack: 101, flags: FIN | ACK});
    both.segment({seq: 101, ack: 501, flags: FIN | ACK});
    both.segment({seq: 102, ack: 502});
    both.segment({dir: "out", seq: 502, ack: 102});
    same(statesOf(made(both)).slice(3).map((each) => each[1]), ["ESTABLISHED", "FIN_WAIT_1", "CLOSING", "TIME_WAIT"]);
  },
  "a reset closes the peer"() {
    const log = new Log().handshake();
    log.segment({seq: 101, flags: RST});
    same(made(log).rows.at(-1).states.peer, "CLOSED");
  },
  "a frame of ours that is lost does not move the peer"() {
    const log = new Log().handshake();
    log.segment({seq: 101, ack: 501, flags: FIN | ACK});
    const ack = log.segment({dir: "out", seq: 501, ack: 102});
    log.tell("wire:fate", {dir: "out", len: 54, because: "wire_lost"}, {frame: ack});
    const row = made(log).rows.at(-1);
    same([row.lost, row.states.peer, row.segment.lost, row.changed.peer], [true, "FIN_WAIT_1", true, false]);
  },
  "a frame to us that is lost has a row of its own, one that is delayed has none"() {
    const log = new Log().handshake(), lost = log.segment({seq: 101, ack: 501, data: "x"});
    const record = log.records.pop();
    log.records.push({...record, name: "wire:fate", frame: 0, data: {...record.data, because: "wire_lost"}});
    log.tell("wire:fate", {dir: "in", len: 60, because: "wire_delayed", delay_s: 1});
    const maker = made(log), row = maker.rows.at(-1);
    same([maker.rows.length, row.kind, row.n, row.lost, row.group, row.tcp.len], [4, "fate", lost, true, "c1", 1]);
  },
  "a decision to send stands at the frame that it explains, and at its cause"() {
    const maker = made(new Log().handshake());
    same(maker.rows[1].decisions.map((record) => record.name), ["tcp:send"]);
    same(maker.rows[0].decisions.map((record) => record.name), ["tcp:open", "tcp:state", "tcp:agreed", "tcp:state", "tcp:send"]);
  },
  "a segment that is sent again says by which kind"() {
    const log = new Log().handshake();
    for (const because of ["again_timeout", "again_rack", "again_tail_probe"]) {
      log.tell("tcp:send", {seq: 501, len: 3, flags: "ACK", again: true, because}, {group: "c1", cause: "timer"});
      log.segment({dir: "out", seq: 501, ack: 101, flags: PSH | ACK, data: "abc"}, {cause: "timer"});
    }
    same(made(log).connections.get("c1").segments.slice(3).map((each) => each.again), ["rto", "fast", "tail"]);
    same(["again_window_probe", "send_keepalive", "again_too_big", "again_sack_lost", "again_syn_timeout"].map(againKind),
      ["probe", "probe", "other", "fast", "rto"]);
  },
  "a segment of the peer that was seen before is marked"() {
    const log = new Log().handshake();
    log.segment({seq: 101, ack: 501, data: "abc"});
    log.segment({seq: 104, ack: 501, data: "def"});
    log.segment({seq: 101, ack: 501, data: "abc"});
    log.segment({seq: 107, ack: 501});
    same(made(log).rows.slice(3).map((row) => row.again), ["", "", "seen", ""]);
  },
  "calls have their result, and timers that fire have a row"() {
    const log = new Log().handshake();
    log.tell("host:call", {call: "SEND", octets: 5}, {group: "c1", cause: "call"});
    log.tell("host:result", {call: "SEND", result: 5}, {group: "c1", cause: "call"});
    log.tell("tcp:timer", {timer: "retransmission", action: "set", in_s: 1}, {group: "c1", cause: "call"});
    log.tell("tcp:timer", {timer: "retransmission", action: "fired"}, {group: "c1", cause: "timer"});
    const maker = made(log), [call, timer] = maker.rows.slice(3);
    same([call.kind, call.result.data.result, timer.kind], ["call", 5, "timer"]);
    same(maker.connections.get("c1").timers.at(999).retransmission.action, "fired");
  },
  "names that are not known are notes, events of the inspector and gaps have rows"() {
    const log = new Log();
    log.tell("new:thing", {x: 1});
    log.tell("lab:wire", {loss: 0.1});
    const maker = made(log);
    maker.gap(3, 9, 0);
    same(maker.rows.map((row) => row.kind), ["note", "lab", "gap"]);
  },
  "malformed heads are frames of no known kind"() {
    const log = new Log();
    for (const head of ["", "!!!", "AAAA", undefined, btoa("\x02".repeat(14)), btoa("\0".repeat(12) + "\x08\0\x45")]) {
      log.tell("wire:frame", {dir: "in", len: 60, head}, {frame: log.n + 1});
    }
    same(made(log).rows.map((row) => row.frame.kind), Array(6).fill("other"));
  },
  "the kernel's word counts, unless the segments have said more since it was asked"() {
    const log = new Log().handshake(), maker = made(log), conn = maker.connections.get("c1");
    maker.kernelSays({c1: {state: "FIN-WAIT-1"}, c9: {state: "ESTAB"}, c8: null});
    same([conn.peer.state, conn.kernelSays], ["ESTABLISHED", ""]);
    maker.kernelSays({c1: {state: "ESTAB"}});
    same([conn.peer.state, conn.kernelSays], ["ESTABLISHED", "ESTABLISHED"]);
    maker.kernelSays({c1: {state: "nonsense"}}, Infinity);
    maker.kernelSays({c1: {state: "CLOSE-WAIT"}}, Infinity);
    same([conn.peer.state, conn.kernelSays], ["CLOSE_WAIT", "CLOSE_WAIT"]);
  },
  "rows that leave keep the places of the others"() {
    const maker = made(new Log().handshake());
    const last = maker.rows.at(-1);
    maker.forget(last.n);
    same([maker.base, maker.rows.length, maker.row(last.i) === last, maker.row(0) === undefined], [2, 1, true, true]);
  },
};
