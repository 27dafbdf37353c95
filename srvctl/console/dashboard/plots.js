// The three plots. SVG, so that they are sharp on every screen and take their colours from the style sheet.

const LEFT = 50; // pixels for the labels of an axis
const BELOW = 18;
const ABOVE = 12; // for the marks of events

/** Ticks of a linear axis from zero: 1, 2 or 5 times a power of ten, so that the scale seldom changes. */
function linear(values, least) {
  const most = Math.max(least, ...values);
  const power = 10 ** Math.floor(Math.log10(most / 3));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => most / each <= 4);
  const top = Math.ceil(most / step - 1e-9) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, at) => at * step);
  return { ticks, place: (value) => Math.min(value / top, 1) };
}

/** Ticks of a logarithmic axis: of durations, one wants to see 3 ms beside 10 s. */
function decades(values) {
  const known = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(0.001, ...known)) + 1e-9);
  const high = Math.max(Math.ceil(Math.log10(Math.max(0.01, ...known)) - 1e-9), low + 2);
  const every = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let at = low; at <= high; at += every) ticks.push(10 ** at);
  return { ticks, place: (value) => Math.max(0, (Math.log10(value) - low) / (high - low)) };
}

/** A path through points, with a gap where a value is missing or the stream was away. */
function through(points, key, x, y) {
  let path = "";
  let last = null;
  points.forEach((point, at) => {
    if (!isNumber(point[key])) return;
    const place = `${x(point.at).toFixed(1)} ${y(point[key]).toFixed(1)}`;
    const follows = last === at - 1 && point.at - points[last].at <= GAP;
    // A line of no length is drawn as a dot, as its ends are round: one value between gaps can be seen.
    path += follows ? `L${place}` : `M${place}h.01`;
    last = at;
  });
  return path;
}

/** One plot with its caption; it is a slider over time, so that arrow keys read it out like the pointer does. */
class Plot {
  constructor(group, { title, hint, width, series, scale, format }) {
    Object.assign(this, { group, title, series, scale, format, width: 0, height: 0 });
    this.svg = draw("svg", { tabindex: 0, role: "slider", "aria-valuemin": -SPAN, "aria-valuemax": 0 });
    this.grid = draw("g", { class: "grid", "aria-hidden": "true" });
    this.marks = draw("g", { class: "marks", "aria-hidden": "true" });
    this.lines = series.map(({ look }) => draw("path", { class: `line ${look}` }));
    this.cursor = draw("line", { class: "cursor", visibility: "hidden" });
    this.dots = series.map(({ look }) => draw("circle", { class: `dot ${look}`, r: 3.5, visibility: "hidden" }));
    this.svg.append(this.grid, this.marks, ...this.lines, this.cursor, ...this.dots);
    this.values = series.map(() => make("b", { textContent: NOTHING }));
    for (const value of this.values) value.style.minWidth = `${width}em`;
    const legend = make("span", { className: "legend" }, ...series.map(({ label, look }, at) => make(
      "span", {}, make("i", { className: look }), `${label} `, this.values[at],
    )));
    const caption = make("figcaption", {}, make("span", { className: "title", textContent: title }), legend);
    caption.firstChild.append(make("small", { textContent: ` ${hint}` }));
    this.element = make("figure", {}, caption, this.svg);
    this.svg.addEventListener("pointermove", (event) => group.point(this.#time(event.offsetX), event.offsetX));
    this.svg.addEventListener("pointerdown", (event) => group.point(this.#time(event.offsetX)));
    this.svg.addEventListener("pointerleave", () => group.point(null));
    this.svg.addEventListener("keydown", (event) => group.key(event));
    this.svg.addEventListener("focus", () => this.#tell());
    this.svg.addEventListener("blur", () => group.point(null));
    new ResizeObserver(([entry]) => {
      this.width = entry.contentRect.width;
      this.height = entry.contentRect.height;
      this.paint();
    }).observe(this.svg);
  }

  #x = (at) => LEFT + (this.width - LEFT - 4) * (1 - (this.group.end - at) / SPAN);

  #time(x) {
    return this.group.end - SPAN * (1 - (x - LEFT) / (this.width - LEFT - 4));
  }

  paint() {
    const { width, height } = this;
    if (width <= LEFT) return;
    const { points, end, pointed } = this.group;
    const shown = points.filter((point) => point.at >= end - SPAN);
    const all = this.series.flatMap(({ key }) => shown.map((point) => point[key]).filter(isNumber));
    const axis = this.scale(all);
    const y = (value) => ABOVE + (height - ABOVE - BELOW) * (1 - axis.place(value));
    this.#axes(axis, y);
    this.series.forEach(({ key }, at) => set(this.lines[at], { d: through(shown, key, this.#x, y) }));
    this.#events();
    const point = pointed === null ? shown.at(-1) : this.group.nearest();
    this.series.forEach(({ key }, at) => {
      const value = point?.[key];
      say(this.values[at], this.format(value));
      const isSeen = pointed !== null && isNumber(value);
      set(this.dots[at], { visibility: isSeen ? "visible" : "hidden" });
      if (isSeen) set(this.dots[at], { cx: this.#x(point.at), cy: y(value) });
    });
    const x = pointed === null ? 0 : this.#x(point?.at ?? pointed);
    set(this.cursor, { visibility: pointed === null ? "hidden" : "visible", x1: x, x2: x, y1: ABOVE, y2: height - BELOW });
    this.#describe(all);
  }

  #axes(axis, y) {
    const { width, height } = this;
    const { end } = this.group;
    const parts = axis.ticks.flatMap((tick) => [
      draw("line", { x1: LEFT, x2: width, y1: Math.round(y(tick)) + 0.5, y2: Math.round(y(tick)) + 0.5 }),
      draw("text", { x: LEFT - 8, y: y(tick) + 3.5, "text-anchor": "end" }, this.format(tick).replace(/\.0+(?!\d)/, "")),
    ]);
    // Whole minutes of the day: to be compared with logs, and they move with the lines.
    const step = width < 340 ? 240 : 120;
    for (let at = Math.ceil((end - SPAN) / step) * step; at <= end; at += step) {
      const x = this.#x(at);
      parts.push(draw("line", { class: "tick", x1: x, x2: x, y1: height - BELOW, y2: height - BELOW + 4 }));
      if (x > LEFT + 14 && x < width - 14) {
        parts.push(draw("text", { x, y: height - 3, "text-anchor": "middle" }, clock(at).slice(0, 5)));
      }
    }
    this.grid.replaceChildren(...parts);
  }

  #events() {
    const { end, events } = this.group;
    this.marks.replaceChildren(...events.filter(({ at }) => at >= end - SPAN && at <= end).flatMap((event) => {
      const x = this.#x(event.at);
      return [
        draw("line", { class: event.look, x1: x, x2: x, y1: ABOVE, y2: this.height - BELOW }),
        draw("text", { class: event.look, x, y: ABOVE - 2, "text-anchor": "middle" }, event.sign),
      ];
    }));
  }

  /** The text alternative. */
  #describe(all) {
    const now = this.series.map(({ label }, at) => `${label} ${this.values[at].textContent}`).join(", ");
    const most = all.length ? `, at most ${this.format(Math.max(...all))}` : "";
    set(this.svg, { "aria-label": `${this.title} over the last ten minutes${most}. Arrow keys move through time.` });
    // A value that changes each second would be read aloud each second: only what a key asked for is told.
    if (!this.svg.hasAttribute("aria-valuenow")) set(this.svg, { "aria-valuenow": 0, "aria-valuetext": now });
    this.now = now;
  }

  #tell() {
    set(this.svg, { "aria-valuenow": 0, "aria-valuetext": `now: ${this.now}` });
  }

  tellPointed() {
    const { pointed, end } = this.group;
    const ago = Math.round((pointed ?? end) - end);
    set(this.svg, { "aria-valuenow": ago, "aria-valuetext": `${clock(pointed ?? end)}: ${this.now}` });
  }
}

/** All plots have one time axis, and one cursor in it. */
class Plots {
  points = [];
  events = []; // {at, sign, look, text}
  end = Date.now() / 1000; // the time at the right, by the clock of the server
  pointed = null;

  constructor(place, readout) {
    this.readout = readout;
    this.plots = [
      new Plot(this, {
        title: "Throughput",
        hint: "req/s",
        width: 2.8,
        series: [{ key: "rate", label: "all", look: "main" }, { key: "errors", label: "5xx", look: "bad" }],
        scale: (values) => linear(values, 4),
        format: rate,
      }),
      new Plot(this, {
        title: "Latency",
        hint: "over 5 s",
        width: 4.2,
        series: [{ key: "p99", label: "p99", look: "main" }, { key: "p50", label: "p50", look: "second" }],
        scale: decades,
        format: short,
      }),
      new Plot(this, {
        title: "Loop lag",
        hint: "worst worker",
        width: 4.2,
        series: [{ key: "lag", label: "lag", look: "main" }],
        scale: (values) => linear(values, 0.004),
        format: short,
      }),
    ];
    place.append(...this.plots.map(({ element }) => element));
  }

  paint() {
    for (const plot of this.plots) plot.paint();
    this.#read();
  }

  nearest() {
    let best = null;
    for (const point of this.points) {
      if (!best || Math.abs(point.at - this.pointed) < Math.abs(best.at - this.pointed)) best = point;
    }
    return best && Math.abs(best.at - this.pointed) <= GAP ? best : null;
  }

  point(at) {
    this.pointed = at === null ? null : Math.min(Math.max(at, this.end - SPAN), this.end);
    this.paint();
  }

  key(event) {
    const from = this.pointed ?? this.end;
    const step = event.shiftKey ? 60 : 5;
    const to = {
      ArrowLeft: from - step, ArrowDown: from - step, ArrowRight: from + step, ArrowUp: from + step,
      PageDown: from - 60, PageUp: from + 60, Home: this.end - SPAN, End: this.end, Escape: null,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.point(to);
    for (const plot of this.plots) plot.tellPointed();
  }

  /** The line below the plots: what the marks mean, or what was at the cursor. */
  #read() {
    if (this.pointed === null) {
      say(this.readout, "▲ reload or change   × death or failure");
      return;
    }
    const close = (event) => Math.abs(event.at - this.pointed);
    const event = this.events.filter((each) => close(each) < 6).sort((one, other) => close(one) - close(other))[0];
    const known = this.nearest() ? "" : "  nothing known of this time";
    say(this.readout, `${clock(this.pointed)}${event ? `  ${event.sign} ${event.text}` : known}`);
  }
}
