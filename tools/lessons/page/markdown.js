/** Markdown of a lesson as nodes. Its text is never taken for HTML, and a link is shown as its text. */

import {html} from "../page/vendor/preact-htm.js";

const ITEM = /^(?:[-*] |(\d{1,2})\. )/;
const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*|\[([^\]]+)\]\([^)\s]*\)/g;

/** The nodes of a line: code, emphasis, the text of links. @param {string} text */
export function inline(text) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, code, strong, weak, link] = found;
    nodes.push(text.slice(at, found.index));
    if (code !== undefined) nodes.push(html`<code>${code}</code>`);
    else if (strong !== undefined) nodes.push(html`<strong>${strong}</strong>`);
    else nodes.push(weak !== undefined ? html`<em>${weak}</em>` : link);
    at = found.index + whole.length;
  }
  return [...nodes, text.slice(at)];
}

/** Paragraphs, headings, lists, tables and code. @param {{text: string, lang: string}} props */
export function Markdown({text, lang}) {
  return html`<div class="prose" lang=${lang}>${parts(text.split("\n")).map(drawn)}</div>`;
}

/** What a line begins; "" for a line of a paragraph. */
function kindOf(line) {
  if (!line.trim()) return "blank";
  if (/^(?:```|~~~)/.test(line)) return "fence";
  if (line.startsWith("#")) return "heading";
  if (line.startsWith("|")) return "table";
  if (ITEM.test(line)) return "list";
  return /^ {4}/.test(line) ? "code" : "";
}

/** The parts of a text: their kinds and lines. */
function parts(lines) {
  const made = [];
  let open = null;
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n], kind = kindOf(line);
    if (kind === "fence") {
      const fence = line.slice(0, 3), code = [];
      while (++n < lines.length && !lines[n].startsWith(fence)) code.push(lines[n]);
      made.push({kind: "code", lines: code});
      open = null;
    } else if (kind === "blank") open = null;
    else if (open?.kind === "list" && (kind === "" || kind === "code")) open.lines[open.lines.length - 1] += ` ${line.trim()}`;
    else if (open?.kind === "text" && kind === "") open.lines.push(line);
    else if (open && open.kind === kind && kind !== "heading") open.lines.push(line);
    else made.push((open = {kind: kind || "text", lines: [line]}));
  }
  return made;
}

function drawn({kind, lines}) {
  if (kind === "heading") return html`<h3>${inline(lines[0].replace(/^#+ */, ""))}</h3>`;
  if (kind === "code") return html`<${Lines} lines=${lines} />`;
  if (kind === "table") return table(lines);
  if (kind !== "list") return html`<p>${inline(lines.join(" "))}</p>`;
  const items = lines.map((line) => html`<li>${inline(line.replace(ITEM, ""))}</li>`), first = Number(ITEM.exec(lines[0])[1]);
  return first ? html`<ol start=${first}>${items}</ol>` : html`<ul>${items}</ul>`;
}

function table(lines) {
  const rows = lines.map((line) => line.replace(/^\||\|\s*$/g, "").split("|").map((cell) => cell.trim()));
  const [head, ...body] = rows.filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell)));
  return html`<div class="wide" tabindex="0" role="group" aria-label=${head.join(", ")}><table>
    <thead><tr>${head.map((cell) => html`<th scope="col">${inline(cell)}</th>`)}</tr></thead>
    <tbody>${body.map((row) => html`<tr>${row.map((cell) => html`<td>${inline(cell)}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** Lines as they stand. They scroll sideways, also by the arrow keys. */
export function Lines({lines}) {
  return html`<pre tabindex="0">${lines.join("\n")}</pre>`;
}
