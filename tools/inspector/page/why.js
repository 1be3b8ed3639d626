/**
 * The panel "Why": the decisions of the chosen row in their order, with the clauses of the RFCs, the
 * function that did it and the tests that prove it.
 */

import {factShown, sentence} from "./text.js";
import {html, useEffect, useState} from "./vendor/preact-htm.js";

const MOST_DECISIONS = 40;
const MOST_VALUES = 8; // of an event's data that are shown
const UNTOLD = new Set(["because", "head", "meaning", "reason", "sentence"]);
const WITHOUT_SENTENCE = new Set(["tcp:delta", "host:done"]);
let clausesById = null;
const clauseSources = new Map();

export function WhyPanel({store}) {
  const {row} = store;
  const clauses = useClauses(store);
  const decisions = row ? decisionsOf(row, store) : [];
  const shown = decisions.slice(0, MOST_DECISIONS), more = decisions.length - shown.length;
  return html`<section class="panel why-panel" aria-labelledby="why-title">
    <h2 id="why-title">Why</h2>
    ${!row && html`<p class="quiet">Nothing has happened yet.</p>`}
    ${row && !decisions.length && html`<p class="quiet">The host decided nothing at this row.</p>`}
    <ol class="decisions">
      ${shown.map((record) => html`<li key=${record.n}>
        <p class="sentence">${sentence(record, store) || store.words.names[record.name] || record.name}</p>
        <p class="quiet said"><code>${record.name}</code> ${valuesOf(record.data)}</p>
        ${[...new Set(record.why || [])].map((id) => id === "own"
          ? html`<p class="own" key="own">Our choice: no RFC asks for it.</p>`
          : html`<${ClauseView} key=${id} id=${id} clause=${clauses?.get(id)} store=${store} />`)}
      </li>`)}
    </ol>
    ${more > 0 && html`<p class="quiet">${more} more decisions are not shown.</p>`}
  </section>`;
}

/** The events that say why, in order: the row's own, and what it caused. */
function decisionsOf(row, store) {
  const own = row.kind !== "frame" && row.kind !== "gap" && row.kind !== "fate" ? [row.event] : [];
  const told = row.decisions.filter((record) => !WITHOUT_SENTENCE.has(record.name) && (sentence(record, store) || record.why?.length));
  return [...own, ...told.sort((a, b) => a.n - b.n)];
}

function valuesOf(data) {
  const plain = Object.entries(data || {}).filter(([key, value]) => !UNTOLD.has(key) && value !== null && value !== false && typeof value !== "object");
  return plain.slice(0, MOST_VALUES).map(([key, value]) => factShown(key, value)).join(", ");
}

/** The rows of clauses.json by id; null until they have come. */
function useClauses(store) {
  const [, setCame] = useState(0);
  useEffect(() => {
    if (clausesById) return;
    store.clauses().then((rows) => {
      clausesById = new Map((Array.isArray(rows) ? rows : Object.values(rows)).map((row) => [row.id, row]));
      setCame(1);
    });
  }, [store]);
  return clausesById;
}

function ClauseView({id, clause, store}) {
  const [open, setOpen] = useState(false);
  const told = clause || {};
  return html`<details class="clause-view" open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><span class="clause">${id}</span> <${Level} clause=${told} /> <span>${told.text || (clausesById ? "This clause is not in the list." : "…")}</span></summary>
    ${open && html`<${ClauseProof} id=${id} clause=${told} store=${store} />`}
  </details>`;
}

/** The level; in italics if it is a reading of a sentence without the capitalised word. */
function Level({clause}) {
  if (!clause.level) return null;
  return clause.basis === "reading" ? html`<em class="level" title="a reading: the RFC's sentence has no capitalised word">${clause.level}, as we read it</em>`
    : html`<b class="level">${clause.level}</b>`;
}

/** Who answers for a clause, and what proves it. */
function ClauseProof({id, clause, store}) {
  const [, setCame] = useState(0);
  useEffect(() => {
    if (store.report || clauseSources.has(id)) return;
    fetch(`source?id=${encodeURIComponent(id)}`).then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({}))
      .then((told) => {
        clauseSources.set(id, told);
        setCame(1);
      });
  }, [id]);
  const {code, tests = [], closed} = clauseSources.get(id) || {};
  const named = clause.tests || [];
  return html`<div class="proof">
    ${clause.rfc && html`<p class="quiet">RFC ${clause.rfc}${clause.section && `, section ${clause.section}`}</p>`}
    <h3>The function that did it</h3>
    ${code ? html`<${SourceView} folder="stack/" source=${code} />` : html`<p><code>${clause.where ? `stack/${clause.where}` : "No single function answers for this clause."}</code></p>`}
    ${closed && html`<p class="quiet">${closed}</p>`}
    <h3>The test that proves it</h3>
    ${!named.length && html`<p>${clause.not_followed ? `Not followed: ${clause.not_followed}` : "No test names this clause."}</p>`}
    ${tests.length ? html`<${SourceView} folder="tests/" source=${tests[0]} />` : ""}
    <ul>${named.slice(tests.length ? 1 : 0).map((name) => html`<li key=${name}><code>tests/${name}</code></li>`)}</ul>
    ${clause.more > 0 && html`<p class="quiet">and ${clause.more} more</p>`}
    ${clause.mutants > 0 && html`<h3>What if not?</h3>
      <p>${clause.mutants === 1 ? "One small fault that breaks this clause is kept: it makes a test fail." : `${clause.mutants} small faults that break this clause are kept: each makes a test fail.`}
        ${" "}In a checkout, <code>scripts/mutants "${id}"</code> shows it.</p>`}
  </div>`;
}

function SourceView({folder, source}) {
  return html`<figure class="source"><figcaption><code>${folder}${source.file}:${source.first}</code> <code>${source.name}</code></figcaption>
    <pre tabindex="0" aria-label=${`source of ${source.name}`}><code>${source.lines.join("\n")}</code></pre>
    ${source.left_out > 0 && html`<p class="quiet">${source.left_out} more lines</p>`}</figure>`;
}
