/** A lesson: its steps on the left, and the ladder of the run, once its questions are answered, on the right. */

import {BitsPanel} from "../page/bits.js";
import {ColumnReader} from "../page/columns.js";
import {GraphPanel} from "../page/graph.js";
import {Bar, Foot, Notes} from "../page/header.js";
import {listenToKeys} from "../page/keys.js";
import {Ladder} from "../page/ladder.js";
import {StatesPanel} from "../page/states.js";
import {later, Store} from "../page/store.js";
import {Tabs} from "../page/tabs.js";
import {TcbPanel} from "../page/tcb.js";
import {html, render, useEffect, useRef, useState} from "../page/vendor/preact-htm.js";
import {WhyPanel} from "../page/why.js";
import {LessonHelp} from "./help.js";
import {inline, Lines, Markdown} from "./markdown.js";
import {QuestionForm} from "./question.js";

const PANELS = [["states", "States", StatesPanel], ["tcb", "TCB", TcbPanel], ["graph", "Graph", GraphPanel], ["why", "Why", WhyPanel], ["bits", "Bits", BitsPanel]];
const EXERCISES = 2 ** 30;

/** What the server answers; `{error}` if it refuses. */
async function got(path, order) {
  try {
    const answer = await fetch(path, order && {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(order)});
    const text = await answer.text();
    return answer.ok ? text : {error: text || answer.statusText};
  } catch (error) {
    return {error: String(error)};
  }
}

async function object(path, order) {
  const text = await got(path, order);
  return typeof text === "string" ? JSON.parse(text) : text;
}

const known = {words: object("words.json"), clauses: object("clauses.json")};

/** A store with the log of a run: a line about it, then parts in columns. */
async function storeOf(place) {
  const text = await got(`log?n=${place}`), words = await known.words;
  if (typeof text !== "string") return text;
  const store = new Store(), [first, ...parts] = text.split("\n");
  store.report = true;
  store.live = false;
  store.clausesPromise = known.clauses;
  store.words = {...store.words, ...words};
  store.hello = JSON.parse(first);
  const reader = new ColumnReader(store.hello.host);
  for (const part of parts) store.take(() => reader.records(JSON.parse(part)));
  while (store.pumping) await new Promise(later);
  if (store.visible.length) store.select(store.visible[0]);
  return store;
}

function Page({lesson}) {
  const [progress, setProgress] = useState(lesson);
  const [at, setAt] = useState(lesson.reached);
  const [step, setStep] = useState(null);
  const [turn, setTurn] = useState(null);
  const heading = useRef(null), moved = useRef(false);
  useEffect(() => {
    let stale = false;
    object(`step?n=${at}${turn === null ? "" : `&turn=${turn}`}`).then((told) => stale || setStep({...told, at}));
    return () => (stale = true);
  }, [at, turn]);
  useEffect(() => {
    if (moved.current && step?.at === at) heading.current?.focus();
  }, [step]);
  const go = (to) => {
    moved.current = true;
    setTurn(null);
    setAt(to);
  };
  const send = async (given) => {
    const verdict = await object("do", {do: "answer", step: at, given, ...(turn === null ? {} : {turn})});
    if (verdict.steps) setProgress((before) => ({...before, steps: verdict.steps, reached: verdict.reached}));
    return verdict;
  };
  const another = () => setTurn(Math.floor(Math.random() * EXERCISES));
  const looked = progress.steps.findLastIndex((each, place) => each.ladder && place <= at);
  return html`<main class="lesson-columns">
    <section class="lesson-pane" lang=${lesson.lang} aria-labelledby="lesson-title" onKeyDown=${(event) => event.stopPropagation()}>
      <${Head} lesson=${progress} at=${at} heading=${heading} />
      <div class="step" key=${`${at} ${turn}`}>
        ${step?.at === at ? html`<${Step} step=${step} lesson=${progress} send=${send} another=${another} key=${`${step.n} ${step.turn}`} />` : html`<p class="quiet">…</p>`}
      </div>
      <${Ways} lesson=${progress} at=${at} go=${go} />
    </section>
    <${Beside} place=${looked} words=${lesson.words} lang=${lesson.lang} />
  </main>`;
}

function Head({lesson, at, heading}) {
  const asked = lesson.steps.filter((step) => step.asks), right = asked.filter((step) => step.right).length, {words} = lesson;
  return html`<header>
    <h2 id="lesson-title">${lesson.number} ${lesson.title}</h2>
    <p class="quiet">${lesson.time}</p>
    ${lesson.notes.map((note) => html`<p class="quiet" key=${note}>${note}</p>`)}
    <p class="progress"><progress max=${asked.length} value=${right} aria-label=${words.progress}></progress>
      <span class="number">${words.done.replace("{right}", right).replace("{all}", asked.length)}</span></p>
    <h3 tabindex="-1" ref=${heading} class="where">${words.step.replace("{n}", at + 1).replace("{all}", lesson.steps.length)}</h3>
  </header>`;
}

function Ways({lesson, at, go}) {
  const {words} = lesson, last = lesson.steps.length - 1, open = at < lesson.reached;
  return html`<nav class="ways" aria-label=${words.step.replace("{n}", at + 1).replace("{all}", last + 1)}>
    <button type="button" disabled=${at === 0} onClick=${() => go(at - 1)}>${words.before}</button>
    ${at < last && html`<button type="button" class="main" disabled=${!open} onClick=${() => go(at + 1)}>${words.after}</button>`}
    <p class="quiet">${at === last ? words.over : !open && words.first}</p>
  </nav>`;
}

function Step({step, lesson, send, another}) {
  const {words} = lesson, lang = lesson.text_lang;
  if (step.error) return html`<p role="alert" class="warning">${words.failed.replace("{why}", step.error)}</p>`;
  return step.blocks.map((block, place) => html`<${Block} key=${place} block=${block} words=${words} lang=${lang}
    done=${lesson.steps[step.at].done} send=${send} another=${another} />`);
}

function Block({block, words, lang, done, send, another}) {
  if (block.kind === "text") return html`<${Markdown} text=${block.markdown} lang=${lang} />`;
  if (block.kind === "run") return html`<${Lines} lines=${block.source.split("\n")} /><p class="quiet">${block.told}</p>`;
  if (block.kind === "question") return html`<${QuestionForm} block=${block} done=${done} send=${send} another=${another} words=${words} lang=${lang} />`;
  if (block.kind === "facts") return html`<div class="prose"><p>${block.told}</p>${listed(block.lines, lang)}</div>`;
  if (block.kind === "break") {
    return html`<p class="broken-note" lang=${lang}>${inline(block.sentence)}</p><div class="prose"><p>${block.told}</p>${listed(block.lines, lang)}</div>
      ${block.instead && html`<p>${block.instead}</p>`}`;
  }
  if (block.kind === "look") {
    if (!block.ladder) return html`<${Lines} lines=${block.lines} />`;
    return html`<p>${words.ladder}</p><details><summary>${words.in_sentences}</summary>${block.lines.map((line) => html`<p>${line}</p>`)}</details>`;
  }
  return html`${block.live && html`<p>${inline(words.in_a_lab)}</p>`}${block.commands.map((text) => html`<${Lines} lines=${text.split("\n")} />`)}`;
}

function listed(lines, lang) {
  return html`<ul lang=${lang}>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}

/** The ladder and the panels of the run that may be looked at. */
function Beside({place, words, lang}) {
  const [shown, setShown] = useState(null);
  useEffect(() => {
    let stale = false;
    if (place >= 0) storeOf(place).then((store) => stale || setShown({place, store}));
    return () => (stale = true);
  }, [place]);
  if (place < 0) return html`<section class="beside empty-run" lang=${lang}><p class="quiet">${words.later}</p></section>`;
  if (shown?.place !== place) return html`<section class="beside empty-run"><p class="quiet">…</p></section>`;
  if (shown.store.error) return html`<section class="beside"><p role="alert" class="warning">${words.failed.replace("{why}", shown.store.error)}</p></section>`;
  return html`<${Run} store=${shown.store} words=${words} key=${place} />`;
}

function Run({store, words}) {
  const [panel, setPanel] = useState("states"), [help, setHelp] = useState(false);
  useEffect(() => {
    globalThis.tapstackStore = store; // for tests, and for the curious
    const open = (id) => PANELS.some(([each]) => each === id) && setPanel(id);
    return listenToKeys(store, {open, drawer: () => {}, help: setHelp});
  }, [store]);
  return html`<div class="beside" lang="en">
    <${Bar} store=${store} drawer=${false} setDrawer=${() => {}} setHelp=${setHelp} />
    <${Notes} store=${store} />
    <${Ladder} store=${store} />
    <${Tabs} label="the run at this row" tabs=${PANELS} chosen=${panel} choose=${setPanel} store=${store} first=${1} />
    <${Foot} store=${store} />
    ${help && html`<${LessonHelp} words=${words} close=${() => setHelp(false)} />`}
  </div>`;
}

async function start() {
  const root = document.getElementById("page"), lesson = await object("lesson.json");
  root.replaceChildren();
  if (lesson.error) return render(html`<p class="starting" role="alert">${lesson.error}</p>`, root);
  lesson.words.lang = document.documentElement.lang = lesson.lang;
  document.title = `${lesson.number} ${lesson.title} - tapstack`;
  return render(html`<${Page} lesson=${lesson} />`, root);
}

start();
