// What the daemon is doing, told by the server as it happens; nothing is asked in a hidden tab.

import { askToLogIn } from "./http.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

export class Live {
  #source = null;
  #timer = 0;
  #wait_ms = FIRST_WAIT_MS;

  /** on: {snapshot(data), status(data), link(isUp)}; a snapshot is the first thing to come. */
  constructor(on) {
    this.on = on;
    document.addEventListener("visibilitychange", () => this.#look());
    window.addEventListener("pagehide", () => this.#close());
    window.addEventListener("pageshow", () => this.#look());
    this.#look();
  }

  #look() {
    if (document.hidden) this.#close();
    else if (this.#source === null) this.#open();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    this.#close();
    const source = new EventSource("/events");
    this.#source = source;
    source.addEventListener("snapshot", (event) => {
      this.#wait_ms = FIRST_WAIT_MS;
      this.on.link(true);
      this.on.snapshot(JSON.parse(event.data));
    });
    source.addEventListener("status", (event) => this.on.status(JSON.parse(event.data)));
    source.addEventListener("error", () => this.#lost());
  }

  /** The stream broke. The browser gives up for good on some errors, so we open it again. */
  #lost() {
    this.#close();
    this.on.link(false);
    this.#timer = setTimeout(() => this.#again(), this.#wait_ms);
    this.#wait_ms = Math.min(2 * this.#wait_ms, LONGEST_WAIT_MS);
  }

  async #again() {
    if (document.hidden) return;
    try {
      // A page, since the daemon need not be there for it; it leads to the login where it must.
      const response = await fetch("/try", { method: "HEAD" });
      if (response.status === 401 || response.redirected) {
        askToLogIn();
        return;
      }
    } catch {
      // The server is away; opening the stream fails, too, and we wait once more.
    }
    this.#open();
  }
}
