// What happened, newest first; and which of it is marked in the plots.

const KEPT = 300;

/** How an event looks: deaths and failures are one kind, reloads and what else changes the service the other. */
function looks(event) {
  if (event.level === "error") return { sign: "×", look: "bad", word: "error" };
  if (event.level === "warning") return { sign: "×", look: "warn", word: "warning" };
  if (event.kind === "worker") return { sign: event.state === "gone" ? "×" : "·", look: "quiet", word: "" };
  return { sign: "▲", look: "fine", word: "" };
}

class Timeline {
  known = new Set();
  marks = [];
  generation = 0; // the newest that there was a word of

  constructor(list, everything) {
    this.list = list;
    everything.addEventListener("change", () => list.classList.toggle("all", everything.checked));
  }

  /** Take an event; return whether it is new: after the connection was lost, the last ones come again. */
  take(event, now) {
    const key = [event.at, event.kind, event.pid, event.text].join(" ");
    if (this.known.has(key)) return false;
    this.known.add(key);
    const look = looks(event);
    const isMark = this.#isNotable(event);
    if (isMark) this.marks.push({ at: event.at, text: event.text, ...look });
    const time = make("time", { textContent: clock(event.at, now), dateTime: new Date(event.at * 1000).toISOString() });
    time.title = new Date(event.at * 1000).toString();
    const sign = make("span", { className: "sign", textContent: look.sign, ariaHidden: "true" });
    const text = make("span", { className: "text" });
    if (look.word) text.append(make("b", { textContent: look.word }), " ");
    text.append(event.text);
    const item = make("li", { className: isMark ? look.look : `${look.look} detail` }, time, sign, text);
    item.at = event.at;
    // Mostly the newest; one that is late finds its place.
    const after = [...this.list.children].find((other) => other.at <= event.at);
    this.list.insertBefore(item, after ?? null);
    this.#forget();
    return true;
  }

  /** Leave out what always comes with something else: the steps of a reload, and the workers it replaces. */
  #isNotable({ kind, level, state, generation = 0 }) {
    this.generation = Math.max(this.generation, generation);
    if (level !== "info") return true;
    if (kind === "worker") return state === "gone" && generation === this.generation;
    return kind !== "reload" || state === "done";
  }

  #forget() {
    while (this.list.children.length > KEPT) this.list.lastChild.remove();
    while (this.marks.length > KEPT) this.marks.shift();
    if (this.known.size > 4 * KEPT) this.known = new Set([...this.known].slice(-2 * KEPT));
  }
}
