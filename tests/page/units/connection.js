/** The panels of a connection: the diagram, the bars, the timers, the graph's data. */

import {TcbFold} from "../page/fold.js";
import {Store} from "../page/store.js";
import {ticksOf} from "../page/graph_axes.js";
import {GraphData, firstAtLeast} from "../page/graph_data.js";
import {Pictures} from "../page/graph.js";
import {arrowsFor, headOf, historyAt, suddenPath, waysFrom} from "../page/states.js";
import {heldBlocks, phaseOf, piecesOf, sendSpace, timerLeft, upToSegment} from "../page/tcb.js";
import {same} from "./made.js";

const way = (n, before, event, after) => ({n, before, event, after});
const TAKEN = [way(1, "CLOSED", "ACTIVE_OPEN", "SYN_SENT"), way(5, "SYN_SENT", "RCV_SYN_ACK", "ESTABLISHED"), way(9, "ESTABLISHED", "RCV_RST", "CLOSED")];

function segment(dir, seq, len, more = {}) {
  return {n: 1, at: 0, dir, seq: seq >>> 0, len, flags: 16, ack: 0, window: 1000, sacks: [], again: "", lost: false, ...more};
}

function graphOf(segments, dir = "out", agreed = null) {
  const conn = {iss: 4294967290, irs: 100, agreed, at: 0, segments, fold: {ns: [], changes: []}};
  const data = new GraphData(conn, dir);
  data.update({events: new Map()});
  return data;
}

export const tests = {
  "the state is that after the last transition up to the row"() {
    const conn = {states: TAKEN, state: "CLOSED"};
    same(historyAt(conn, 0), {taken: [], state: "CLOSED", visits: {}});
    same(historyAt(conn, 8).state, "ESTABLISHED");
    same(historyAt(conn, 9).visits, {SYN_SENT: 1, ESTABLISHED: 1, CLOSED: 1});
  },
  "an arrow knows when it was taken, and a sudden end is drawn once it was"() {
    const early = arrowsFor(TAKEN.slice(0, 2)), late = arrowsFor(TAKEN);
    same(early.filter((arrow) => arrow.taken.length).map((arrow) => [arrow.key, arrow.last]), [["CLOSED SYN_SENT", false], ["SYN_SENT ESTABLISHED", true]]);
    same(late.length, early.length + 1);
    same(late.find((arrow) => arrow.last).path, suddenPath("ESTABLISHED"));
  },
  "an ABORT of a listener is said on the arrow of its CLOSE"() {
    const arrow = arrowsFor([way(1, "LISTEN", "ABORT", "CLOSED")]).find(({key}) => key === "LISTEN CLOSED");
    same(arrow.words, "ABORT");
  },
  "where a state can go is said with words of the RFC"() {
    same(waysFrom("LAST_ACK")[0], "ACK of FIN → CLOSED");
    same(waysFrom("SYN_RECEIVED").find((text) => text.startsWith("RST")), "RST → LISTEN or CLOSED");
  },
  "the head of an arrow points along its end"() {
    same(headOf("M10 10 H50 V90".match(/[\d.]+|[A-Z]/g)), {x: 50, y: 90, angle: 90});
    same(headOf("M10 10 H50 V5 H20".match(/[\d.]+|[A-Z]/g)), {x: 20, y: 5, angle: 180});
  },
  "the send space is split by SND.NXT, cwnd and the window"() {
    const tcb = {snd_una: 4294967000, snd_nxt: 704, snd_wnd: 5000, "congestion.cwnd": 3000, "send_buffer.size": 1500};
    same(sendSpace(tcb), {flight: 1000, may: 2000, held: 2000, beyond: 0, waiting: 500});
    same(sendSpace({...tcb, snd_wnd: 400}), {flight: 1000, may: 0, held: 0, beyond: 600, waiting: 500});
    same(sendSpace({}), null);
  },
  "the pieces of a bar fill it, and the smallest is to be seen"() {
    const pieces = piecesOf([1, 0, 1000000]);
    same(pieces[1].width, 0);
    same([pieces[0].width >= 5, Math.round(pieces[2].x + pieces[2].width)], [true, 376]);
    same(piecesOf([0, 0, 0]).map(({width}) => width), [0, 0, 0]);
  },
  "the phase is by cwnd, ssthresh and what is being repaired"() {
    const cwnd = {"congestion.cwnd": 10, "congestion.ssthresh": 20};
    same([phaseOf({}), phaseOf(cwnd), phaseOf({...cwnd, "congestion.ssthresh": 5})], ["", "slow start", "congestion avoidance"]);
    same([phaseOf({...cwnd, "loss.after_timeout": false}), phaseOf({...cwnd, "loss.after_timeout": true})], ["fast recovery", "loss recovery after a timeout"]);
    const fold = new TcbFold();
    for (const [n, change] of [cwnd, {"loss.after_timeout": false}, {loss: null}, {"loss.after_timeout": true}].entries()) fold.add(n, change);
    same([0, 1, 2, 3].map((n) => phaseOf(fold.at(n))), ["slow start", "fast recovery", "slow start", "loss recovery after a timeout"]);
  },
  "a timer runs down, is never below 0, and does not run once it is cleared"() {
    const timer = {action: "set", in_s: 0.2, at: 1000};
    same(timerLeft(timer, 1100), {left: 0.1, part: 0.5});
    same(timerLeft(timer, 900).left, 0.2);
    same(timerLeft(timer, 5000), {left: 0, part: 0});
    same([timerLeft({...timer, action: "cleared"}, 1000), timerLeft(undefined, 0)], [null, null]);
  },
  "the blocks that are held are those of the last segment at the row"() {
    const segments = [segment("in", 0, 0, {n: 1, sacks: [[300, 400]]}), segment("out", 0, 9, {n: 3}), segment("in", 0, 0, {n: 7})];
    same([upToSegment(segments, 0), upToSegment(segments, 3), upToSegment(segments, 99)], [0, 2, 3]);
    same(heldBlocks(segments, "in", 5, 100), [[300, 400]]);
    same(heldBlocks(segments, "in", 5, 350), []);
    same(heldBlocks(segments, "in", 7, 100), []);
  },
  "the graph goes on over 2^32, and scales the window but not that of a SYN"() {
    const data = graphOf([segment("out", 4294967290, 0, {flags: 2}), segment("in", 100, 0, {flags: 18, ack: 4294967291, at: 1, window: 500}),
      segment("out", 4294967291, 1000, {at: 2}), segment("in", 101, 0, {ack: 995, at: 3, sacks: [[2000, 3000]]})],
    "out", {window_scale: true, snd_shift: 7, rcv_shift: 0});
    same([data.segments.low, data.segments.high], [[0, 1], [1, 1001]]);
    same([data.acks.ack, data.acks.edge], [[1, 1001], [501, 1001 + 128000]]);
    same([data.sacks.low, data.sacks.high, data.sums.most], [[2006], [3006], 1000]);
  },
  "what is sent again and lost is counted, also if its loss is told later"() {
    const second = segment("out", 4294967290, 50, {n: 2, again: "rto"});
    const data = graphOf([segment("out", 4294967290, 50), second]);
    second.lost = true;
    same([data.sums.again, data.lost, data.sums.octets], [{rto: 1}, 1, 100]);
    same([data.nearest(0, 25, 0.01, 1), data.nearest(9, 25, 0.01, 1)], [1, 0]);
  },
  "the graph's data grows, and begins anew when the oldest have left"() {
    const segments = [segment("out", 4294967290, 50), segment("out", 44, 50, {n: 2})], data = graphOf(segments);
    same([data.update({events: new Map()}), data.segments.x.length], [false, 2]);
    segments.shift();
    same([data.update({events: new Map()}), data.segments.x.length, firstAtLeast([1, 2, 3], 2)], [true, 1, 1]);
  },
  "the ticks of an axis are round numbers, and not too many"() {
    same(ticksOf(-0.05, 1.04, 6), [0, 0.2, 0.4, 0.6, 0.8, 1]);
    same(ticksOf(0.1, 0.7, 6), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
    same(ticksOf(-12, 131072, 3), [0, 50000, 100000]);
    same(ticksOf(12.3456, 12.3457, 4), [12.3456, 12.34565, 12.3457]);
    same([ticksOf(1, 1, 5), ticksOf(0, Infinity, 5), ticksOf(0, 1, 0.2)], [[], [], [0, 1]]);
  },
  "a graph of 100,000 segments: a step moves a line only, and it is drawn within 250 ms"() {
    const segments = [], place = document.createElement("div");
    for (let i = 0; i < 100000; i++) {
      segments.push(i % 3 ? segment("out", i * 500 - 6, 500, {at: i / 10, n: i + 1, again: i % 50 ? "" : "fast", lost: i % 60 === 1})
        : segment("in", 101, 0, {at: i / 10, n: i + 1, ack: (i * 500 - 900) >>> 0, window: 60000}));
    }
    document.body.append(place);
    const pictures = new Pictures(place, () => {}), data = graphOf(segments), began = performance.now();
    pictures.resize();
    pictures.setData(data, true);
    let drawn = performance.now() - began;
    for (let again = 0; again < 2 && drawn >= 250; again++) {
      const anew = performance.now();
      pictures.redraw();
      drawn = performance.now() - anew;
    }
    const {drawnAt} = pictures;
    const start = performance.now();
    for (let i = 0; i < 20; i++) pictures.reveal(i);
    const step = (performance.now() - start) / 20;
    same([pictures.drawnAt === drawnAt, step < 50, drawn < 250], [true, true, true], `drawn in ${drawn} ms, a step in ${step} ms:`);
    console.log(`graph of 100,000 segments: drawn in ${drawn.toFixed(1)} ms, a step in ${step.toFixed(2)} ms`);
    pictures.end();
  },
  "a page without a connection has no variables"() {
    const store = new Store();
    same([store.group, store.tcb(""), store.segments("")], ["", {}, []]);
  },
};
