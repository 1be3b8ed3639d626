/** The vendored modules joined: preact, its hooks, and htm bound to preact's `h`. */
import {h, render, Fragment, Component} from "./preact.js";
import {useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useReducer} from "./hooks.js";
import htm from "./htm.js";

const html = htm.bind(h);

export {h, html, render, Fragment, Component};
export {useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useReducer};
