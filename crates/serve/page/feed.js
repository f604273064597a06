// The data of a run, bounded however long the page stays open.

/** Maximum events kept per kind; beyond that, every second one of the older events is dropped. */
const MOST = 1024;
/** Maximum large events kept whole. */
const WHOLE = 40;
/** How often a compared run is read, in milliseconds. */
const POLL = 3000;

/**
 * @typedef {Record<string, any>} Event
 * @typedef {{epoch: number, serial: number, steps: number, last: Event | null,
 *   kind: string | null, state: "live" | "ended" | "stopped" | "gone", broken: number,
 *   rote: number | null}} News
 * @typedef {{first: number[], last: number[], time: number[]} & Record<string, any>} Series
 */

/** An answer other than 200. */
class Refusal extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export async function ask(path, body) {
  const post = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, body === undefined ? {} : post);
  if (!answer.ok) throw new Refusal(await answer.text(), answer.status);
  return answer.json();
}

/**
 * The lines of an answer, each as soon as it is there; none after an abort.
 * @param {string} path @param {unknown} body @param {AbortSignal} [signal]
 */
export async function* lines(path, body, signal) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
  if (!answer.ok || !answer.body) throw new Refusal(await answer.text(), answer.status);
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const all = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = all.pop() ?? "";
    for (const line of all) {
      signal?.throwIfAborted();
      yield JSON.parse(line);
    }
  }
}

export class Feed {
  /** @param {number} id @param {() => void} changed */
  constructor(id, changed) {
    this.id = id;
    /** @type {number} */
    this.timer = 0;
    this.changed = changed;
    /** @type {News} */
    this.news = {
      epoch: -1,
      serial: 0,
      steps: 0,
      last: null,
      kind: null,
      state: "ended",
      broken: 0,
      rote: null,
    };
    this.lost = false;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {Record<string, Event[]>} */
    this.kinds = {};
    /** @type {Map<number, Promise<any>>} */
    this.wholes = new Map();
    this.seen = 0;
    this.busy = false;
    this.again = false;
  }

  clear() {
    this.kinds = {};
    this.wholes.clear();
    this.seen = 0;
  }

  /** @param {string} kind @returns {Event[]} */
  all(kind) {
    return this.kinds[kind] ?? [];
  }

  /** @param {string} kind @returns {Event | undefined} */
  last(kind) {
    return this.all(kind).at(-1);
  }

  /** A large event with all that it has; lists have only its step. @param {Event} event */
  whole(event) {
    const known = this.wholes.get(event.serial);
    if (known) return known;
    if (this.wholes.size >= WHOLE) this.wholes.clear();
    const asked = ask(`/api/runs/${this.id}/event/${event.serial}`);
    this.wholes.set(event.serial, asked);
    asked.catch(() => this.wholes.delete(event.serial));
    return asked;
  }

  get start() {
    return this.last("start");
  }

  async open() {
    await this.fetch();
    this.source = new EventSource(`/api/runs/${this.id}/follow`);
    this.source.onmessage = (message) => {
      this.lost = false;
      const news = JSON.parse(message.data);
      const more = news.serial !== this.news.serial || news.epoch !== this.news.epoch;
      this.news = { ...news, epoch: this.news.epoch };
      if (more) this.fetch();
      else this.changed();
    };
    this.source.onerror = () => {
      this.lost = true;
      this.changed();
    };
  }

  /** Reads a compared run now and then: a browser has few connections for streams. */
  async poll() {
    await this.fetch();
    this.timer = window.setInterval(() => this.fetch(), POLL);
  }

  close() {
    this.source?.close();
    clearInterval(this.timer);
  }

  async fetch() {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    try {
      let { news, events } = await ask(`/api/runs/${this.id}/events?after=${this.seen}`);
      if (news.epoch !== this.news.epoch && this.seen > 0) {
        this.clear();
        ({ news, events } = await ask(`/api/runs/${this.id}/events?after=0`));
      }
      this.news = news;
      for (const sent of events) this.take(sent);
      this.lost = false;
    } catch (error) {
      // 410: the run's folder is gone.
      if (error instanceof Refusal && error.status === 410)
        this.news = { ...this.news, state: "gone" };
      else this.lost = true;
    }
    this.busy = false;
    this.changed();
    if (this.again) {
      this.again = false;
      await this.fetch();
    }
  }

  /** @param {{serial: number, kind: string, step: number | null, event?: Event}} sent */
  take(sent) {
    this.seen = sent.serial;
    const list = (this.kinds[sent.kind] ??= []);
    list.push({ step: sent.step, ...sent.event, serial: sent.serial });
    if (sent.kind === "pace" && this.start && sent.event) this.start.steps = sent.event.steps;
    if (list.length > MOST)
      this.kinds[sent.kind] = list.filter((_, i) => i % 2 === 0 || i > MOST - 16);
  }

  /**
   * @param {string[]} names
   * @param {{from?: number, to?: number, points?: number}} [range]
   * @returns {Promise<Series>}
   */
  series(names, range = {}) {
    const query = new URLSearchParams({ names: names.join(",") });
    for (const [key, value] of Object.entries(range))
      if (value !== undefined) query.set(key, String(value));
    return ask(`/api/runs/${this.id}/series?${query}`);
  }

  /** The entropy floor in nats per token. @returns {number | null} */
  get floor() {
    const start = this.start;
    if (!start?.floor_bits_per_byte) return null;
    return (
      (start.floor_bits_per_byte * Math.LN2 * start.validation_bytes) / start.validation_tokens
    );
  }

  /** Seconds until the last step, at the average speed so far. @returns {number} */
  get left() {
    const {
      start,
      news: { last },
    } = this;
    if (!start || !last || last.step <= start.first_step) return NaN;
    return ((start.steps - last.step) * (last.time - start.time)) / (last.step - start.first_step);
  }

  get live() {
    return this.news.state === "live";
  }

  get gone() {
    return this.news.state === "gone";
  }

  get regression() {
    return this.news.kind === "fit";
  }
}
