/** The panel "Why". */
import {html} from "./vendor/preact-htm.js";

export function WhyPanel({store}) {
  return html`<section class="panel" aria-labelledby="why-title"><h2 id="why-title">Why</h2><p class="quiet">${store.count} events</p></section>`;
}
