/** A question: its text, what is chosen or typed, and what the program says of it. */

import {html, useRef, useState} from "../page/vendor/preact-htm.js";
import {inline, Lines, Markdown} from "./markdown.js";

const LONGEST = 200; // characters of an answer

/**
 * @param {{block: object, done: boolean, send: (given: string) => Promise<object>, another: () => void, words: object, lang: string}} props
 */
export function QuestionForm({block, done, send, another, words, lang}) {
  const [given, setGiven] = useState(block.form === "order" ? [...block.letters].join(" ") : "");
  const [verdict, setVerdict] = useState(null);
  const busy = useRef(false);
  const judge = async (text) => {
    if (busy.current) return;
    busy.current = true;
    setVerdict(await send(text));
    busy.current = false;
  };
  const submit = (event) => {
    event.preventDefault();
    if (given.trim()) judge(given);
  };
  return html`<form class="question" onSubmit=${submit} lang=${lang}>
    <fieldset>
      <legend><${Markdown} text=${block.prompt} lang=${lang} /></legend>
      ${block.shown.length > 0 && html`<${Lines} lines=${block.shown} />`}
      <${Input} block=${block} given=${given} setGiven=${setGiven} words=${words} />
    </fieldset>
    <div class="buttons" lang=${words.lang}>
      <button type="submit" class="main">${words.answer}</button>
      <button type="button" onClick=${() => judge("")}>${words.show}</button>
      ${block.endless && done && html`<button type="button" onClick=${another}>${words.another}</button>`}
    </div>
    <div role="status" aria-live="polite" class=${`verdict${verdict ? (verdict.right ? " right" : " wrong") : ""}`}>
      ${verdict && html`<${Verdict} verdict=${verdict} words=${words} />`}
    </div>
  </form>`;
}

function Verdict({verdict, words}) {
  if (verdict.error) return html`<p>${words.failed.replace("{why}", verdict.error)}</p>`;
  return html`${(verdict.head || verdict.reason) && html`<p>${verdict.head && html`<strong>${verdict.head}</strong> `}${inline(verdict.reason)}</p>`}
    ${verdict.was && html`<p>${inline(verdict.was)}</p>`}`;
}

function Input({block, given, setGiven, words}) {
  if (block.form === "choice") return choices(block, [...block.letters], given, setGiven);
  if (block.form === "altered") return choices(block, block.items.map((_, n) => String(n + 1)), given, setGiven);
  if (block.form === "order") return html`<${Order} block=${block} given=${given} setGiven=${setGiven} words=${words} />`;
  return html`<label class="typed"><span>${words.value}</span>
    <input name="given" type="text" maxlength=${LONGEST} autocomplete="off" spellcheck=${false} value=${given}
      onInput=${(event) => setGiven(event.target.value)} /></label>`;
}

function choices(block, values, given, setGiven) {
  const numbered = block.form === "altered";
  return html`<div class=${`choices${numbered ? " frames" : ""}`}>${block.items.map((text, n) => html`<label key=${values[n]}>
    <input type="radio" name="given" value=${values[n]} checked=${given === values[n]} onChange=${() => setGiven(values[n])} />
    ${!numbered && html`<b class="letter">${values[n]}</b>`}<span>${inline(text)}</span></label>`)}</div>`;
}

/** Items that are moved up and down. */
function Order({block, given, setGiven, words}) {
  const order = given.split(" "), list = useRef(null);
  const move = (place, by) => {
    const moved = [...order], to = place + by;
    [moved[place], moved[to]] = [moved[to], moved[place]];
    setGiven(moved.join(" "));
    requestAnimationFrame(() => {
      const buttons = list.current?.children[to]?.querySelectorAll("button") || [];
      [buttons[by < 0 ? 0 : 1], ...buttons].find((button) => button && !button.disabled)?.focus();
    });
  };
  return html`<ol class="order" ref=${list}>${order.map((letter, place) => {
    const text = block.items[block.letters.indexOf(letter)];
    return html`<li key=${letter}><b class="letter">${letter}</b><span>${inline(text)}</span>
      <button type="button" aria-label=${words.up.replace("{text}", text)} disabled=${place === 0} onClick=${() => move(place, -1)}>↑</button>
      <button type="button" aria-label=${words.down.replace("{text}", text)} disabled=${place === order.length - 1} onClick=${() => move(place, 1)}>↓</button></li>`;
  })}</ol>`;
}
