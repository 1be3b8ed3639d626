/** The page as a whole: the bar, the ladder, the panels beside it, and the keys. */

import {BitsPanel} from "./bits.js";
import {startFeed} from "./feed.js";
import {GraphPanel} from "./graph.js";
import {Bar, Foot, Notes} from "./header.js";
import {HostPanel} from "./host.js";
import {Help, listenToKeys} from "./keys.js";
import {Ladder} from "./ladder.js";
import {printChosen} from "./print.js";
import {StatesPanel} from "./states.js";
import {Store} from "./store.js";
import {Tabs} from "./tabs.js";
import {TcbPanel} from "./tcb.js";
import {html, render, useEffect, useState} from "./vendor/preact-htm.js";
import {WhyPanel} from "./why.js";
import {WirePanel} from "./wire.js";

/** The panels above: the connection as it was at the chosen row. Those below: the row itself. */
const CONNECTION = [["states", "States", StatesPanel], ["tcb", "TCB", TcbPanel], ["graph", "Graph", GraphPanel]];
const ROW = [["why", "Why", WhyPanel], ["bits", "Bits", BitsPanel], ["host", "Host", HostPanel]];

function Page({store}) {
  const [upper, setUpper] = useState("states");
  const [lower, setLower] = useState("why");
  const [drawer, setDrawer] = useState(false);
  const [help, setHelp] = useState(false);
  useEffect(() => listenToKeys(store, {
    open: (id) => (CONNECTION.some(([each]) => each === id) ? setUpper(id) : setLower(id)),
    drawer: () => setDrawer((open) => !open),
    help: setHelp,
  }), [store]);
  return html`
    <${Bar} store=${store} drawer=${drawer} setDrawer=${setDrawer} setHelp=${setHelp} />
    <${Notes} store=${store} />
    ${drawer && html`<div class="drawer" id="drawer"><${WirePanel} store=${store} /></div>`}
    <main class="columns">
      <${Ladder} store=${store} />
      <div class="panels">
        <${Tabs} label="the connection at this row" tabs=${CONNECTION} chosen=${upper} choose=${setUpper} store=${store} first=${1} />
        <${Tabs} label="this row" tabs=${ROW} chosen=${lower} choose=${setLower} store=${store} first=${4} />
      </div>
    </main>
    <${Foot} store=${store} />
    ${help && html`<${Help} close=${() => setHelp(false)} />`}`;
}

const store = new Store();
const root = document.getElementById("page");
root.replaceChildren();
document.documentElement.classList.add("with-script"); // hides the static ladder of a report
render(html`<${Page} store=${store} />`, root);
startFeed(store);
printChosen(store);
globalThis.tapstackStore = store; // for tests, and for the curious
