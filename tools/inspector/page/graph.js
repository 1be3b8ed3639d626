/** The panel "Graph". */
import {html} from "./vendor/preact-htm.js";

export function GraphPanel({store}) {
  return html`<section class="panel" aria-labelledby="graph-title"><h2 id="graph-title">Graph</h2><p class="quiet">${store.count} events</p></section>`;
}
