// A card for each slot. It stays where it is while workers come and go in it, so that nothing jumps.

// A word, a sign and a border tell the state; the colour only repeats it.
const SIGNS = {
  ready: "●", booting: "◔", forking: "◔", hung: "■", draining: "◑", dying: "×", gone: "×", empty: "○",
};
// Who speaks for a slot that has two, while one replaces the other.
const RANKS = ["ready", "hung", "booting", "forking", "draining", "dying", "gone"];
const rank = (worker) => RANKS.indexOf(worker.state) + (worker.leaves_because ? 0.5 : 0);

const CELLS = [
  ["req/s", "requests each second"], ["p50", "half of the requests were faster"], ["p99", "99 of 100 were faster"],
  ["in flight", "requests being worked on"], ["conns", "open connections"], ["lag", "how late the event loop was"],
  ["CPU", "processors in use"], ["PSS", "memory, with its share of what is shared"],
];

class Card {
  constructor(slot, restart) {
    this.slot = slot;
    this.sign = make("span", { ariaHidden: "true" });
    this.word = make("span");
    this.button = make("button", { type: "button", textContent: "Restart", hidden: true, onclick: () => restart(slot) });
    this.button.setAttribute("aria-label", `Restart the worker of slot ${slot}`);
    const title = make("h3", {}, make("span", { className: "slot", textContent: `slot ${slot}` }),
      make("span", { className: "state" }, this.sign, " ", this.word));
    this.ids = make("p", { className: "ids" });
    this.spark = draw("path", { "vector-effect": "non-scaling-stroke" });
    const svg = draw("svg", {
      class: "spark", viewBox: `0 0 ${SPARK} 24`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, this.spark);
    this.values = CELLS.map(() => make("dd", { textContent: NOTHING }));
    this.labels = CELLS.map(([label, hint]) => make("dt", { textContent: label, title: hint }));
    const list = make("dl", {}, ...CELLS.map((_, at) => make("div", {}, this.labels[at], this.values[at])));
    this.note = make("p", { className: "note" });
    this.element = make("li", { className: "card" }, make("div", { className: "head" }, title, this.button),
      this.ids, svg, list, this.note);
  }

  show(workers, kept, generation) {
    const [worker, ...others] = [...workers].sort((one, other) => rank(one) - rank(other));
    const state = worker?.state ?? "empty";
    set(this.element, { "data-state": state });
    say(this.sign, SIGNS[state] ?? "?");
    say(this.word, state === "empty" ? "no worker" : state);
    say(this.ids, worker ? `pid ${worker.pid} · gen ${worker.generation} · up ${long(worker.uptime)}` : "waiting for the next");
    this.element.classList.toggle("old", Boolean(worker) && worker.generation !== generation);
    const now = kept?.now ?? {};
    const hasPss = isNumber(worker?.pss);
    say(this.labels[7], hasPss ? "PSS" : "RSS");
    const texts = worker && [
      rate(now.rate), short(now.p50), short(now.p99), whole(worker.in_flight), whole(worker.connections),
      short(worker.loop_lag), rate(worker.cpu), memory(hasPss ? worker.pss : worker.rss),
    ];
    this.values.forEach((value, at) => put(value, texts ? texts[at] : NOTHING));
    const second = others.map((other) => `${SIGNS[other.state] ?? "?"} pid ${other.pid} ${other.state}, gen ${other.generation}`);
    const leaves = worker?.leaves_because ? [`leaves: ${worker.leaves_because}`] : [];
    say(this.note, [...leaves, ...second].join(" · ") || "\u00a0");
    this.note.title = this.note.textContent;
  }

  /** Every card has the same scale: a slot that does less than the others is to look like it. */
  plot(kept, end, most) {
    const points = (kept?.rates ?? []).map(([at, each]) => ({ at, rate: each }));
    set(this.spark, { d: through(points, "rate", (at) => SPARK - (end - at), (value) => 23 - (22 * value) / most) });
  }
}

class Cards {
  cards = new Map();
  mayAct = false;

  constructor(place, restart) {
    this.place = place;
    this.restart = restart;
  }

  show(message, history) {
    const bySlot = new Map();
    const wanted = Math.min(isNumber(message.target) ? message.target : 0, 4096);
    for (let slot = 0; slot < wanted; slot += 1) bySlot.set(slot, []);
    for (const worker of message.workers) bySlot.set(worker.slot, [...(bySlot.get(worker.slot) ?? []), worker]);
    for (const [slot, card] of this.cards) {
      if (!bySlot.has(slot)) {
        card.element.remove();
        this.cards.delete(slot);
      }
    }
    const slots = [...bySlot.keys()].sort((one, other) => one - other);
    const rates = slots.flatMap((slot) => history.slots.get(slot + "")?.rates.map(([, each]) => each ?? 0) ?? []);
    const most = Math.max(1, ...rates);
    slots.forEach((slot, at) => {
      const card = this.cards.get(slot) ?? new Card(slot, this.restart);
      this.cards.set(slot, card);
      if (this.place.children[at] !== card.element) this.place.insertBefore(card.element, this.place.children[at] ?? null);
      const kept = history.slots.get(`${slot}`);
      card.show(bySlot.get(slot), kept, message.generation);
      card.plot(kept, message.at, most);
      card.button.hidden = !this.mayAct || !bySlot.get(slot).length;
    });
    this.place.classList.toggle("many", slots.length > 12);
  }

  allow(mayAct) {
    this.mayAct = mayAct;
    for (const { button, element } of this.cards.values()) button.hidden = !mayAct || element.dataset.state === "empty";
  }
}
