// From the counters of one message each second to rates and percentiles. Knows no page, no clock, no network.

const SPAN = 600; // seconds that the plots show
const WINDOW = 5; // seconds a figure is taken over: one second of a quiet service has too few requests
const GAP = 3.5; // seconds without a message after which nothing is known of the time in between
const SPARK = 120; // seconds that the small plot of a worker shows

/** The counters of one slot, or of all: what took how long is one row, whatever the status was. */
function sum(slots, bounds) {
  const all = { requests: 0, errors: 0, buckets: new Float64Array(bounds.length + 1) };
  for (const slot of slots) {
    all.requests += slot.requests;
    all.errors += slot.errors;
    for (const row of Object.values(slot.answered)) row.forEach((count, at) => { all.buckets[at] += count; });
  }
  return all;
}

/**
 * The duration that a share of requests did not exceed, by interpolation within its bucket; null if none came.
 * Past the last bound nothing is known but that it was longer: then it is the bound.
 */
function quantile(share, buckets, bounds) {
  const wanted = share * buckets.reduce((total, count) => total + count, 0);
  if (!wanted) return null;
  let seen = 0;
  for (let at = 0; at < bounds.length; at += 1) {
    if (buckets[at] && seen + buckets[at] >= wanted) {
      const lower = at ? bounds[at - 1] : 0;
      return lower + (bounds[at] - lower) * ((wanted - seen) / buckets[at]);
    }
    seen += buckets[at];
  }
  return bounds.at(-1);
}

/** What happened from one look at the counters to the next; nothing if they are not of one and the same life. */
function change(older, newer, seconds, bounds) {
  if (!older || seconds <= 0 || newer.requests < older.requests || newer.errors < older.errors) return {};
  const buckets = newer.buckets.map((count, at) => count - older.buckets[at]);
  return {
    rate: (newer.requests - older.requests) / seconds,
    errors: (newer.errors - older.errors) / seconds,
    p50: quantile(0.5, buckets, bounds),
    p99: quantile(0.99, buckets, bounds),
  };
}

const add = (workers, name) => workers.reduce((total, worker) => total + (worker[name] ?? 0), 0);

/** The last ten minutes of an instance. */
class History {
  looks = []; // the counters of the last seconds: {at, all, slots: {slot: counters}}
  points = []; // what is drawn: {at, rate, errors, p50, p99, lag}, oldest first
  slots = new Map(); // slot -> {now: figures, rates: [[at, rate]…]}
  pid = 0;

  /** Take a message; return the figures of now. */
  take(message) {
    const { at, bounds } = message;
    const last = this.looks.at(-1);
    // A master that is another one counts from zero; one that went on after an upgrade has the same pid.
    if (last && (at - last.at > GAP || at < last.at || message.pid !== this.pid)) this.looks = [];
    if (this.points.length && at < this.points.at(-1).at) this.points = []; // somebody set the clock back
    this.pid = message.pid;
    const slots = {};
    for (const [slot, counters] of Object.entries(message.slots)) slots[slot] = sum([counters], bounds);
    const look = { at, all: sum(Object.values(message.slots), bounds), slots };
    this.looks.push(look);
    while (this.looks[0].at < at - WINDOW - 0.5) this.looks.shift();
    return this.#figures(message, look, last && this.looks.includes(last) ? last : null);
  }

  #figures(message, look, last) {
    const { at, bounds, workers } = message;
    const first = this.looks[0] === look ? null : this.looks[0];
    const now = change(first?.all, look.all, at - (first?.at ?? at), bounds);
    const second = change(last?.all, look.all, at - (last?.at ?? at), bounds);
    const lag = workers.length ? Math.max(...workers.map((worker) => worker.loop_lag)) : null;
    // Throughput is drawn by the second; durations over the window, as a percentile of five requests is none.
    this.points.push({ at, rate: second.rate, errors: second.errors, p50: now.p50, p99: now.p99, lag });
    while (this.points[0].at < at - SPAN - GAP) this.points.shift();
    for (const [slot, counters] of Object.entries(look.slots)) {
      const kept = this.slots.get(slot) ?? { rates: [] };
      const before = last?.slots[slot];
      kept.now = change(first?.slots[slot], counters, at - (first?.at ?? at), bounds);
      kept.rates.push([at, change(before, counters, at - (last?.at ?? at), bounds).rate]);
      while (kept.rates[0][0] < at - SPARK) kept.rates.shift();
      this.slots.set(slot, kept);
    }
    const hasPss = workers.length > 0 && workers.every((worker) => isNumber(worker.pss));
    return {
      ...now,
      lag,
      in_flight: add(workers, "in_flight"),
      cpu: add(workers, "cpu"),
      memory: add(workers, hasPss ? "pss" : "rss"),
      hasPss,
    };
  }
}
