/** The variables of a TCB after any event. */

import {TcbFold} from "../page/fold.js";
import {same} from "./made.js";

function folded(count) {
  const fold = new TcbFold(), wanted = [{}];
  for (let n = 1; n <= count; n++) {
    fold.add(10 * n, {[`v${n % 7}`]: n});
    wanted.push({...wanted.at(-1), [`v${n % 7}`]: n});
  }
  return {fold, wanted};
}

const sorted = (object) => Object.fromEntries(Object.entries(object).sort());

export const tests = {
  "the values after each event are those that all changes before it make"() {
    const {fold, wanted} = folded(300);
    for (let n = 0; n <= 300; n++) {
      same(sorted(fold.at(10 * n)), sorted(wanted[n]), `after ${n}`);
      same(sorted(fold.at(10 * n + 9)), sorted(wanted[n]), `between ${n} and the next`);
    }
  },
  "what is forgotten is still in the values"() {
    const {fold, wanted} = folded(300);
    fold.forget(2000);
    for (let n = 200; n <= 300; n++) same(sorted(fold.at(10 * n)), sorted(wanted[n]), `after ${n}`);
    if (fold.ns.length > 164) throw new Error(`${fold.ns.length} changes are kept`);
  },
  "a copy that is changed does not change the fold"() {
    const {fold, wanted} = folded(3);
    fold.at(30).v1 = "changed";
    same(sorted(fold.at(30)), sorted(wanted[3]));
  },
};
