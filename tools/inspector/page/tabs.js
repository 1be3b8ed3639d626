/** Tabs by the ARIA pattern: one is reached by Tab, the others by the arrow keys or their number. */

import {useStore} from "./store.js";
import {html} from "./vendor/preact-htm.js";

export function Tabs({label, tabs, chosen, choose, store, first}) {
  const Panel = tabs.find(([id]) => id === chosen)[2];
  const move = (event) => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const place = tabs.findIndex(([id]) => id === chosen);
    const [id] = tabs[(place + by + tabs.length) % tabs.length];
    choose(id);
    requestAnimationFrame(() => document.getElementById(`tab-${id}`)?.focus());
  };
  return html`<div class="tabs">
    <div class="tablist" role="tablist" aria-label=${label} onKeyDown=${move}>
      ${tabs.map(([id, title], place) => html`<button role="tab" id=${`tab-${id}`} key=${id} type="button"
        aria-selected=${id === chosen ? "true" : "false"} aria-controls=${`panel-${chosen}`} tabindex=${id === chosen ? 0 : -1}
        title=${`key ${first + place}`} onClick=${() => choose(id)}>${title}</button>`)}
    </div>
    <div class="tabpanel" role="tabpanel" id=${`panel-${chosen}`} aria-labelledby=${`tab-${chosen}`} tabindex="0">
      <${Shown} Panel=${Panel} store=${store} key=${chosen} />
    </div>
  </div>`;
}

function Shown({Panel, store}) {
  useStore(store);
  return html`<${Panel} store=${store} />`;
}
