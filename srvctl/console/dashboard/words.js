// Elements, and numbers as people read them. What comes from a server becomes text, never markup.

const $ = (id) => document.getElementById(id);

/** Make an element; properties that are no attributes (textContent, className, onclick) are set as such. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of SVG. */
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

// Most values stay as they are from one second to the next; what is not touched is not laid out anew,
// keeps the reader's selection, and is not read aloud again.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A value whose unit is smaller than the number: both are one text for whoever reads or copies it. */
function put(element, text) {
  if (element.textContent === text) return;
  const at = text.indexOf(" ");
  if (at < 0) element.textContent = text;
  else element.replaceChildren(text.slice(0, at + 1), make("small", { textContent: text.slice(at + 1) }));
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

/** Tell a screen reader. */
function announce(text) {
  say($("said"), text);
}

const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Three digits are enough to compare, and keep their width: 0.25, 12.3, 123, 1,234, 12.3 k. */
function digits(value) {
  if (value >= 999500) return `${(value / 1e6).toFixed(value < 9.95e6 ? 2 : 1)} M`;
  if (value >= 9999.5) return `${(value / 1e3).toFixed(value < 99950 ? 1 : 0)} k`;
  if (value >= 99.95) return plain.format(value);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

const rate = (value) => (isNumber(value) ? (value === 0 ? "0" : digits(value)) : NOTHING);
const whole = (value) => (isNumber(value) ? (value < 1e5 ? plain.format(value) : digits(value)) : NOTHING);

/** A short duration, given in seconds: 0.34 ms, 12.3 ms, 1.20 s. */
function short(value) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0) return "0 ms";
  return value < 0.9995 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
}

/** A long one, in two units: 3 d 4 h. */
function long(value) {
  if (!isNumber(value)) return NOTHING;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let at = units.findIndex(([, length]) => value >= length);
  if (at < 0) at = 3;
  const [name, length] = units[at];
  const first = `${Math.floor(value / length)} ${name}`;
  if (at === 3) return first;
  const [small, part] = units[at + 1];
  return `${first} ${Math.floor((value % length) / part)} ${small}`;
}

/** Memory, given in bytes: 85.3 MiB, 1.21 GiB. */
function memory(value) {
  if (!isNumber(value)) return NOTHING;
  const MIB = 2 ** 20;
  return value < 1000 * MIB ? `${digits(value / MIB)} MiB` : `${digits(value / MIB / 1024)} GiB`;
}

const two = (number) => String(number).padStart(2, "0");

/** The time of day where the reader is; the day, too, if it is not that of `now`. Both in seconds since 1970. */
function clock(at, now = at) {
  const time = new Date(at * 1000);
  const text = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  if (time.toDateString() === new Date(now * 1000).toDateString()) return text;
  return `${time.toLocaleDateString("en", { day: "numeric", month: "short" })}, ${text}`;
}

const several = (count, one, many = `${one}s`) => `${plain.format(count)} ${count === 1 ? one : many}`;
