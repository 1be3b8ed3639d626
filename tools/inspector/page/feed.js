/** Where the records come from: server-sent events of a running host, or the log inside a report. */

import {ColumnReader} from "./columns.js";
import {octetsOf} from "./model.js";
import {later} from "./store.js";

const HIDDEN_CLOSE_MS = 60000;
const RETRY_MS = [500, 1000, 2000, 4000];

/** Fill the store from the page's log if it has one, else from the server. @param {import("./store.js").Store} store */
export function startFeed(store) {
  const log = document.getElementById("log");
  if (log) return readLog(store, log.textContent || "");
  loadWords(store);
  return new LiveFeed(store);
}

async function loadWords(store) {
  try {
    const answer = await fetch("words.json");
    if (answer.ok) store.words = {...store.words, ...(await answer.json())};
    store.wordsVersion += 1;
    store.notify(true);
  } catch {
    /* the rows then show the keys */
  }
}

class LiveFeed {
  constructor(store) {
    this.store = store;
    this.tries = 0;
    this.hiddenTimer = 0;
    document.addEventListener("visibilitychange", () => this.visibility());
    this.open();
  }

  open() {
    const {store} = this;
    const source = (this.source = new EventSource(`events?after=${store.toldN}`));
    source.addEventListener("hello", (event) => this.hello(parsed(event.data)));
    source.addEventListener("batch", (event) => store.take(() => parsed(event.data)));
    source.addEventListener("gap", (event) => this.gap(parsed(event.data)));
    source.addEventListener("state", (event) => store.takeState(parsed(event.data)));
    source.addEventListener("end", () => this.end());
    source.onerror = () => this.again();
  }

  hello(hello) {
    if (!hello) return;
    this.tries = 0;
    const {store} = this;
    store.hello = hello;
    store.online = true;
    store.takeState({wire: hello.wire, settings: hello.settings, services: hello.services});
  }

  gap(gap) {
    const lost = gap?.lost;
    if (Array.isArray(lost) && lost[1] >= lost[0]) this.store.take([{n: lost[1], at: 0, name: "gap", data: {lost}}]);
  }

  end() {
    this.store.ended = true;
    this.close();
  }

  /** The stream has ended: ask for what follows the last number told, a little later each time. */
  again() {
    this.close();
    if (this.store.ended) return;
    const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)];
    setTimeout(() => this.source || document.hidden || this.open(), wait);
  }

  close() {
    this.source?.close();
    this.source = null;
    this.store.online = false;
    this.store.notify(true);
  }

  visibility() {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) this.hiddenTimer = setTimeout(() => this.close(), HIDDEN_CLOSE_MS);
    else if (!this.source && !this.store.ended) this.open();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The log of a report: base64 of gzip of lines of JSON. The first line is the "hello" object, which
 * holds the words, too; each other line is a part of the log, in columns.
 */
async function readLog(store, base64) {
  store.report = true;
  store.live = false;
  const octets = octetsOf(base64.replaceAll("\n", ""));
  const stream = new Blob([octets]).stream().pipeThrough(new DecompressionStream("gzip")).pipeThrough(new TextDecoderStream());
  const reader = stream.getReader(), log = {store, columns: null};
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) takeLine(log, line);
    await new Promise(later); // so that the first rows are drawn while the others come
  }
  takeLine(log, rest);
}

function takeLine(log, line) {
  const {store} = log;
  if (!line) return;
  if (log.columns) {
    store.take(() => log.columns.records(parsed(line)));
    return;
  }
  const hello = (store.hello = parsed(line) || {});
  log.columns = new ColumnReader(hello.host);
  store.words = {...store.words, ...hello.words};
  store.follow = hello.follow || "";
  if (hello.lost > 0) store.take([{n: hello.first - 1, at: 0, name: "gap", data: {lost: [hello.first - hello.lost, hello.first - 1]}}]);
  store.takeState({wire: hello.wire, settings: hello.settings, host: hello.state?.host});
}
