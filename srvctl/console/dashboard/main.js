// The page: a stream of messages in, one picture a second out.

const LATE = 5; // seconds after which figures are called old
const DEAD = 15; // seconds of silence after which a stream that is open is taken for dead

const history_ = new History();
const plots = new Plots($("plots"), $("readout"));
const timeline = new Timeline($("events"), $("everything"));
const cards = new Cards($("cards"), (slot) => actions.restart(slot));
const actions = new Actions((mayAct) => cards.allow(mayAct));

const fields = (list, names, hints = {}) => Object.fromEntries(names.map((name) => {
  const value = make("dd", { textContent: NOTHING });
  list.append(make("div", {}, make("dt", { textContent: name, title: hints[name] ?? "" }), value));
  return [name, value];
}));
const facts = fields($("facts"), ["app", "address", "generation", "version", "master", "up"]);
const figures = fields($("figures"), ["requests/s", "p50", "p99", "in flight", "5xx/s", "CPU", "memory"], {
  "5xx/s": "answered 5xx, or broken off by an exception",
  CPU: "processors in use by the workers",
  p50: "half of the requests of the last 5 seconds were faster",
  p99: "99 of 100 requests of the last 5 seconds were faster",
});

// -- what is shown -----------------------------------------------------------------------------------

let latest = null;
let receivedAt = 0; // by performance.now(): the clock of the reader may be wrong, and may be set
let trouble = ""; // what the console says instead of figures
let isWaiting = false;

/** Draw soon, and once: many events come at the beginning. A page that nobody sees is not drawn at all. */
function drawSoon() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    if (latest) show(latest);
  });
}

function show({ message, figures: now }) {
  say($("name"), message.name || "srvctl");
  const [word, tone] = phase(message);
  say($("state"), word);
  set($("state"), { "data-tone": tone });
  say(facts.app, message.app ?? "");
  facts.app.parentElement.hidden = !message.app;
  say(facts.address, (message.binds ?? []).join("  ") || NOTHING);
  say(facts.generation, `${message.generation}`);
  say(facts.version, `srvctl ${message.version}`);
  say(facts.master, `pid ${message.pid}`);
  say(facts.up, long(message.uptime));
  const texts = [
    rate(now.rate), short(now.p50), short(now.p99), whole(now.in_flight), rate(now.errors), rate(now.cpu), memory(now.memory),
  ];
  Object.values(figures).forEach((field, at) => put(field, texts[at]));
  set(figures["5xx/s"].parentElement, { "data-tone": now.errors > 0 ? "bad" : "quiet" });
  say(figures.memory.previousSibling, now.hasPss ? "memory" : "memory RSS");
  const serving = message.workers.filter(({ state }) => state === "ready").length;
  say($("count"), `${serving} serving, ${message.target} wanted`);
  cards.show(message, history_);
  plots.points = history_.points;
  plots.events = timeline.marks;
  plots.end = message.at;
  drawPlots();
  tellSummary();
}

function drawPlots() {
  const away = (performance.now() - receivedAt) / 1000;
  plots.end = latest.message.at + (away > LATE ? away : 0); // time goes on, also without messages
  plots.paint();
}

function phase({ state, reload }) {
  if (state === "leaving" || state === "stopping") return ["draining", "warn"];
  if (STAGES[reload?.state]) return ["reloading", "main"];
  return [state, state === "running" ? "fine" : "main"];
}

/** The one sentence to read first. */
function summary(message) {
  const { state, target, workers, reload } = message;
  if (state === "leaving" || state === "stopping") {
    return [`Stopping: ${several(workers.length, "worker")} left, ${several(add(workers, "in_flight"), "request")} in flight.`, "warn"];
  }
  const hung = workers.filter((worker) => worker.state === "hung").map(({ slot }) => slot);
  const served = new Set(workers.filter((worker) => worker.state === "ready").map(({ slot }) => slot));
  const missing = Array.from({ length: Math.min(target, 4096) }, (_, slot) => slot).filter((slot) => !served.has(slot) && !hung.includes(slot));
  const list = (slots) => `slot${slots.length > 1 ? "s" : ""} ${slots.slice(0, 6).join(", ")}${slots.length > 6 ? ", …" : ""}`;
  const parts = [];
  if (hung.length) parts.push(`${list(hung)} ${hung.length > 1 ? "hang" : "hangs"}`);
  if (missing.length) parts.push(`${list(missing)} ${missing.length > 1 ? "do" : "does"} not serve yet`);
  const how = served.size === target && !hung.length
    ? (target === 1 ? "The worker serves" : `All ${target} workers serve`)
    : `${served.size} of ${several(target, "worker")} ${served.size === 1 ? "serves" : "serve"}`;
  const going = STAGES[reload?.state] ? [`reload to generation ${reload.generation}: ${STAGES[reload.state]}`] : [];
  const tone = hung.length || !served.size ? "bad" : missing.length ? "warn" : "fine";
  return [`${[how, ...parts, ...going].join("; ")}.`, tone];
}

const TONES = { fine: "●", warn: "▲", bad: "■", quiet: "○" };
let told = "";

function tellSummary() {
  const [text, tone] = isAway() ? awayText() : summary(latest.message);
  say($("summary").firstElementChild, TONES[tone]);
  say($("summary").lastElementChild, text);
  set($("summary"), { "data-tone": tone });
  document.title = `${tone === "fine" ? "" : `${TONES[tone]} `}${latest?.message.name ?? "srvctl"}`;
  // Read aloud when it changes in kind; not each second that the connection is away.
  const kind = isAway() ? trouble || "The connection to the console is lost; trying again." : text;
  if (kind !== told && latest) announce(kind);
  told = kind;
}

// -- the stream --------------------------------------------------------------------------------------

let stream = null;
const began = performance.now();
let heardAt = began; // of whatever came
let attempts = 0;
let retry = 0;

const isAway = () => !latest || performance.now() - receivedAt > LATE * 1000 || stream === null || trouble !== "";

function awayText() {
  const seconds = Math.round((performance.now() - (latest ? receivedAt : began)) / 1000);
  if (!latest) return seconds < 3 ? ["Connecting to the console…", "quiet"] : [`No answer from the console for ${seconds} s; trying again.`, "bad"];
  if (trouble) return [`${trouble} This is what was known ${seconds} s ago.`, "bad"];
  return [`Connection lost: this is what was known ${seconds} s ago. Trying again.`, "bad"];
}

// EventSource tries again by itself, but not after an answer other than 200, and never if an open connection
// falls silent (a proxy, a laptop that slept). One way for all of these: close, wait, open anew.
function connect() {
  clearTimeout(retry);
  stream = new EventSource("api/live");
  const opened = stream;
  const openedAt = heardAt = performance.now();
  opened.onerror = () => disconnect();
  opened.addEventListener("trouble", (event) => {
    heardAt = performance.now();
    trouble = JSON.parse(event.data).message;
    attempts = 0;
    reached(false);
  });
  opened.addEventListener("metrics", (event) => {
    attempts = 0;
    trouble = "";
    const message = JSON.parse(event.data);
    message.at ??= Date.now() / 1000;
    receivedAt = heardAt = performance.now();
    latest = { message, figures: history_.take(message) };
    actions.take(message);
    reached(true);
    drawSoon();
  });
  opened.addEventListener("event", (event) => {
    const item = JSON.parse(event.data);
    const isNew = timeline.take(item, latest?.message.at ?? Date.now() / 1000);
    if (isNew && item.level !== "info" && performance.now() - openedAt > 2000) announce(item.text);
    drawSoon();
  });
}

function disconnect() {
  stream?.close();
  stream = null;
  trouble = "";
  attempts += 1;
  reached(false);
  retry = setTimeout(connect, Math.min(1000 * attempts, 5000));
}

function reached(isReached) {
  document.body.classList.toggle("away", !isReached);
  actions.connected(isReached);
  tellSummary();
}

setInterval(() => {
  if (!isAway()) return;
  if (stream && performance.now() - heardAt > DEAD * 1000) disconnect();
  document.body.classList.add("away");
  if (latest) drawPlots();
  tellSummary();
}, 1000);

// -- light and dark ----------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];
let theme = "system";
try { theme = localStorage.getItem("srvctl theme") ?? theme; } catch { /* storage is forbidden */ }

function dress() {
  if (!THEMES.includes(theme)) theme = "system";
  document.documentElement.dataset.theme = theme;
  say($("theme"), `◐ ${theme}`);
  set($("theme"), { "aria-label": `Colours: ${theme}. Change` });
}

$("theme").onclick = () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try { localStorage.setItem("srvctl theme", theme); } catch { /* storage is forbidden */ }
  dress();
};

dress();
connect();
