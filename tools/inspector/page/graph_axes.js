/**
 * A picture with two axes: time from left to right, numbers upwards. Others draw the marks into it.
 *
 * Places are in pixels of the canvas, of which a screen may have more than the document has.
 */

const LEFT = 48, BELOW = 26, TOP = 8, RIGHT = 8; // around the area of the marks, in pixels of the document
const WIDE = 76, HIGH = 36; // the least room from one tick to the next
const LEAST_DRAG = 4;
const FONT = "11px system-ui, sans-serif";

/** Round numbers from `from` to `to`, at most `most` of them: steps of 1, 2 or 5 times a power of ten. */
export function ticksOf(from, to, most) {
  const least = (to - from) / Math.max(1, most), power = 10 ** Math.floor(Math.log10(least));
  const step = power * [1, 2, 5, 10].find((times) => power * times >= least * 0.999999), ticks = [];
  if (!(step > 0) || !Number.isFinite(step)) return ticks;
  for (let i = Math.ceil(from / step); i * step <= to + step * 1e-6; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

const compact = new Intl.NumberFormat("en", {notation: "compact", maximumSignificantDigits: 4});

export class Plot {
  /**
   * @param {HTMLElement} element where it stands
   * @param {number} height in pixels of the document
   * @param {(plot: Plot) => void} draw draws the marks
   * @param {(from: number, to: number) => void} chosen is told the stretch of time that was dragged over
   */
  constructor(element, height, draw, chosen) {
    Object.assign(this, {height, draw, chosen, width: 0, from: 0, to: 1, low: 0, high: 1});
    const [box, canvas, over, stretch] = ["div", "canvas", "div", "div"].map((name) => document.createElement(name));
    Object.assign(this, {box, canvas, over, stretch, ctx: canvas.getContext("2d")});
    box.className = "plot";
    over.className = "plot-area";
    stretch.className = "plot-stretch";
    stretch.hidden = true;
    over.append(stretch);
    box.append(canvas, over);
    element.append(box);
    over.addEventListener("pointerdown", (event) => this.drag(event));
  }

  view(from, to, low, high) {
    Object.assign(this, {from, to, low, high});
    this.render();
  }

  resize(width) {
    if (width === this.width && this.ratio === devicePixelRatio) return false;
    const ratio = devicePixelRatio || 1, {canvas, over, height} = this;
    Object.assign(this, {width, ratio});
    this.area = {left: LEFT * ratio, top: TOP * ratio, width: (width - LEFT - RIGHT) * ratio,
      height: (height - TOP - BELOW) * ratio};
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    Object.assign(canvas.style, {width: `${width}px`, height: `${height}px`});
    Object.assign(over.style, {left: `${LEFT}px`, top: `${TOP}px`, right: `${RIGHT}px`, bottom: `${BELOW}px`});
    return true;
  }

  /** @param {number} time @returns {number} its place on the canvas */
  x(time) {
    return this.area.left + ((time - this.from) / (this.to - this.from)) * this.area.width;
  }

  y(number) {
    return this.area.top + (1 - (number - this.low) / (this.high - this.low)) * this.area.height;
  }

  /** The time at a place of the document, counted from the left of the area; and back. */
  timeAt(left) {
    return this.from + ((left * this.ratio) / this.area.width) * (this.to - this.from);
  }

  leftOf(time) {
    return (this.x(time) - this.area.left) / this.ratio;
  }

  numberAt(top) {
    return this.high - ((top * this.ratio) / this.area.height) * (this.high - this.low);
  }

  render() {
    if (!this.width) return;
    const {ctx, canvas, area} = this;
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    this.axes();
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.width, area.height);
    ctx.clip();
    this.draw(this);
    ctx.restore();
  }

  /** Lines and labels at round numbers. */
  axes() {
    const {ctx, area, ratio, from, to, low, high} = this, style = getComputedStyle(this.box);
    const bottom = area.top + area.height, right = area.left + area.width;
    ctx.font = FONT.replace("11", String(11 * ratio));
    ctx.strokeStyle = style.getPropertyValue("--line");
    ctx.fillStyle = style.getPropertyValue("--quiet");
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    for (const time of ticksOf(from, to, area.width / ratio / WIDE)) {
      const x = Math.round(this.x(time)) + 0.5;
      ctx.moveTo(x, area.top);
      ctx.lineTo(x, bottom + 4 * ratio);
      ctx.fillText(`${time} s`, x, bottom + 7 * ratio);
    }
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const number of ticksOf(low, high, area.height / ratio / HIGH)) {
      const y = Math.round(this.y(number)) + 0.5;
      ctx.moveTo(area.left - 4 * ratio, y);
      ctx.lineTo(right, y);
      ctx.fillText(compact.format(number), area.left - 7 * ratio, y);
    }
    ctx.stroke();
    ctx.textBaseline = "alphabetic";
  }

  /** A stretch of time is marked while the pointer is dragged. */
  drag(begin) {
    if (begin.button !== 0) return;
    const {over, stretch} = this, box = over.getBoundingClientRect(), at = (event) => event.clientX - box.left;
    const within = (left) => Math.min(box.width, Math.max(0, left)), start = at(begin);
    const ends = () => [Math.min(start, last), Math.max(start, last)];
    let last = start;
    const move = (event) => {
      last = within(at(event));
      const [left, right] = ends();
      stretch.hidden = right - left < LEAST_DRAG;
      Object.assign(stretch.style, {left: `${left}px`, width: `${right - left}px`});
    };
    const end = (event) => {
      stretch.hidden = true;
      for (const [name, fn] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
        over.removeEventListener(name, fn);
      }
      const [left, right] = ends();
      if (event.type === "pointerup" && right - left >= LEAST_DRAG) this.chosen(this.timeAt(left), this.timeAt(right));
    };
    over.setPointerCapture(begin.pointerId);
    over.addEventListener("pointermove", move);
    over.addEventListener("pointerup", end);
    over.addEventListener("pointercancel", end);
  }
}
