/** The panels of one row: bits, checksum, why, host. */

import {BitsPanel} from "../page/bits.js";
import {dissectFrame, layerSum, onesAdd} from "../page/dissect.js";
import {HostPanel} from "../page/host.js";
import {h, render} from "../page/vendor/preact-htm.js";
import {WhyPanel} from "../page/why.js";
import {base64, same, segmentHead} from "./made.js";

const EVIL = '"><img src=x onerror="globalThis.harmed=1"><script>globalThis.harmed=1</script>\u202e\u0007';

/** A frame with right checksums. */
function rightSegment(data) {
  const octets = Uint8Array.from(segmentHead({seq: 100, ack: 501, flags: 24, data}));
  for (const layer of dissectFrame(octets)) {
    if (!layer.sum) continue;
    const rest = layerSum(octets, layer).filter(({field}) => !field).reduce((sum, {word}) => onesAdd(sum, word), 0);
    octets.set([(~rest >> 8) & 255, ~rest & 255], layer.sum.from + layer.sum.at);
  }
  return octets;
}

function storeWith(octets, more = {}) {
  const data = {dir: "in", link: "ethernet", len: octets.length, head: base64(octets.slice(0, 128)), ...more};
  const event = {n: 1, name: "wire:frame", data, at: 1, time: 1, why: []};
  return {report: true, row: {n: 1, i: 0, kind: "frame", event, decisions: []}, words: {ports: {80: "http"}, reasons: {}, names: {}, drops: {}},
    slow: {}, events: new Map([[1, event]]), firstN: 1, lastN: 1, clauses: async () => []};
}

const settled = () => new Promise((done) => setTimeout(done, 60));

async function shown(Panel, store) {
  const root = document.createElement("div");
  document.body.append(root);
  render(h(Panel, {store}), root);
  await settled();
  return root;
}

const press = async (root, text) => {
  [...root.querySelectorAll("button")].find((button) => button.textContent.startsWith(text)).click();
  await settled();
};
const key = async (element, name) => {
  element.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
  await settled();
};

export const tests = {
  async "the innermost header is drawn, with its values, and keys walk from field to field"() {
    const root = await shown(BitsPanel, storeWith(rightSegment("hello")));
    same(root.querySelector(".cells").getAttribute("aria-label"), "fields of TCP");
    same([...root.querySelectorAll(".cell .title")].slice(0, 3).map((each) => each.textContent), ["Source Port", "Destination Port", "Sequence Number"]);
    const chosen = () => root.querySelector("[aria-selected=true]").textContent;
    same(chosen(), "Source Port 5000. ");
    await key(root.querySelector(".cells"), "ArrowRight");
    same(chosen(), "Destination Port 80. 80 (http)");
    await key(root.querySelector(".cells"), "End");
    same(chosen(), "Urgent Pointer 0. no meaning without URG");
    same(root.querySelector(".hex .marked").textContent, "00 00");
    await press(root, "IPv4");
    same(root.querySelector(".cells").getAttribute("aria-label"), "fields of IPv4");
    root.remove();
  },
  async "the words of a checksum are added one by one, and a right one ends in all ones"() {
    const root = await shown(BitsPanel, storeWith(rightSegment("hello")));
    await press(root, "Add up the checksum");
    await press(root, "Add the next");
    same(root.querySelector(".sums [role=status]").textContent, "Word 1 of 19: the sum is 0x0A09.");
    await key(root.querySelector(".sums"), "End");
    const said = root.querySelector(".sums [role=status]").textContent;
    if (!said.startsWith("The sum is 0xFFFF, all ones: the checksum is right.")) throw new Error(said);
    if (!root.querySelector(".sum").textContent.includes("the last octet, and a zero")) throw new Error("no odd octet");
    root.remove();
  },
  async "a wrong checksum is called wrong, and one that was left to the link is not"() {
    const octets = rightSegment("hello!");
    octets[octets.length - 1] ^= 1;
    for (const [partial, wanted] of [[false, "the checksum is WRONG"], [true, "The checksum was left to the link"]]) {
      if (partial) {
        const tcp = dissectFrame(octets).find((layer) => layer.name === "TCP");
        const sum = tcp.sum.pseudo.reduce((before, [, word]) => onesAdd(before, word), 0);
        octets.set([sum >> 8, sum & 255], tcp.offset + 16);
      }
      const root = await shown(BitsPanel, storeWith(octets));
      await press(root, "Add up the checksum");
      await press(root, "To the end");
      const said = root.querySelector(".sums [role=status]").textContent;
      if (!said.includes(wanted)) throw new Error(said);
      root.remove();
    }
  },
  async "a frame of which only the beginning was recorded says why it cannot be added up"() {
    const root = await shown(BitsPanel, storeWith(rightSegment("x".repeat(300)), {offloaded: true}));
    await press(root, "Add up the checksum");
    const said = root.querySelector(".sums").textContent;
    if (!said.includes("Only the first octets") || !said.includes("left to the link")) throw new Error(said);
    await press(root, "IPv4");
    if (!root.querySelector(".sums [role=status]")) throw new Error("the IPv4 header is whole");
    root.remove();
  },
  async "text of the wire, of clauses and of the host is never markup"() {
    const store = storeWith(rightSegment(EVIL.replace(/[^ -~]/g, "")));
    const decision = {n: 2, name: "tcp:send", data: {because: EVIL, flags: EVIL}, why: ["9293 MUST-1", EVIL], at: 2, time: 2};
    store.row.decisions = [decision, {...decision, n: 3, name: "dhcp:bound", data: {message: EVIL, because: EVIL}}];
    store.clauses = async () => [{id: "9293 MUST-1", level: EVIL, text: EVIL, where: EVIL, tests: [EVIL], basis: "reading"}];
    store.events.set(2, {...decision, name: "dhcp:bound", data: {message: EVIL}});
    store.lastN = 2;
    store.slow = {host: {
      interfaces: {rows: [{name: EVIL, mac: EVIL, addresses: [EVIL], tentative: [EVIL], mtu: 1500}], left_out: 3},
      leases: {rows: [{interface: EVIL, address: EVIL, prefix_length: 24, server: EVIL, host_name: EVIL, message: EVIL, requested_at: 0, renew_at: 5, rebind_at: 7, expires_at: 10}], left_out: 0},
      counters: {[EVIL]: 1},
    }};
    for (const Panel of [BitsPanel, WhyPanel, HostPanel]) {
      const root = await shown(Panel, store);
      for (const summary of root.querySelectorAll("summary")) summary.click();
      await settled();
      if (Panel !== BitsPanel && !root.textContent.includes(EVIL)) throw new Error(`${Panel.name} does not show the text`);
      if (root.querySelector("img, script") || globalThis.harmed) throw new Error(`${Panel.name}: markup`);
      root.remove();
    }
  },
  async "a reading is told apart, and what the row's decisions are stands in order"() {
    const store = storeWith(rightSegment(""));
    const decision = (n, why) => ({n, name: "tcp:ack", data: {because: `reason ${n}`, decision: "now"}, why, at: n, time: n});
    store.row.decisions = [decision(5, ["own"]), decision(4, ["9293-3.1-a"])];
    const root = await shown(WhyPanel, store);
    same([...root.querySelectorAll(".sentence")].map((each) => each.textContent), ["reason 4", "reason 5"]);
    same(root.querySelectorAll(".own").length, 1);
    root.remove();
  },
  async "times and other numbers of a decision are for people"() {
    const store = storeWith(rightSegment(""));
    const data = {because: "reason", delay_s: 0.015000000013969839, wait_s: 1.5, rounds: 0.30000000000000004, seq: 4294967295, again: true, kind: "tail"};
    store.row.decisions = [{n: 4, name: "tcp:timer", data, why: ["own"], at: 4, time: 4}];
    const root = await shown(WhyPanel, store);
    same(root.querySelector(".said").textContent, "tcp:timer delay 15 ms, wait 1.5 s, rounds 0.3, seq 4294967295, again, kind tail");
    root.remove();
  },
  async "a source that may not be read is said to be closed"() {
    const store = storeWith(rightSegment(""));
    store.report = false;
    store.row.decisions = [{n: 4, name: "tcp:ack", data: {because: "reason"}, why: ["9293 MUST-77"], at: 4, time: 4}];
    store.clauses = async () => [{id: "9293 MUST-77", where: "tcp/acks.py:f", tests: []}];
    const {fetch} = globalThis;
    globalThis.fetch = async () => ({ok: true, json: async () => ({code: null, tests: [], closed: EVIL})});
    const root = await shown(WhyPanel, store);
    root.querySelector("summary").click();
    await settled();
    await settled();
    globalThis.fetch = fetch;
    if (!root.textContent.includes(EVIL)) throw new Error(root.textContent);
    root.remove();
  },
  async "counters that moved say by how much"() {
    const store = storeWith(rightSegment(""));
    store.slow = {host: {counters: {a: 1, b: 5}}};
    const root = await shown(HostPanel, store);
    same(root.querySelector("tbody").textContent, "a1b5");
    store.slow = {host: {counters: {a: 1, b: 7}}};
    render(h(HostPanel, {store}), root);
    await settled();
    same(root.querySelector("tbody").textContent, "b7+2a1");
    root.remove();
  },
};
