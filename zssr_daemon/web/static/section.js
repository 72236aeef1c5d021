// A section of the queue: a heading with its count, rows, and more of them on request.

import { KeyedList, setText } from "./dom.js";
import { get } from "./http.js";
import { Row } from "./row.js";
import { grouped } from "./words.js";

const PAGE = 100;
const FRESH_MS = 3000;

export class Section {
  #pages = 0;
  #loaded_ms = 0;

  /**
   * root: the section's element. state: of the jobs that "more" asks for, or null.
   * list: what shows the rows, with `show(views)`; by default a list of rows.
   */
  constructor(root, { state = null, onMore = () => {}, onRefusal = () => {}, list = null } = {}) {
    Object.assign(this, { root, state, onMore, onRefusal, extra: [] });
    this.list =
      list ??
      new KeyedList(
        root.querySelector(".rows"),
        (view) => view.key,
        () => new Row(),
      );
    this.count = root.querySelector(".count");
    this.more = root.querySelector(".more");
    this.more?.addEventListener("click", () => this.#loadMore());
  }

  /** Show rows; total: how many there are in all. */
  show(views, total) {
    this.root.hidden = views.length === 0 && total <= 0;
    setText(this.count, grouped(Math.max(total, views.length)));
    this.list.show(views);
    if (this.more === null) return;
    setText(this.more, `Show more (${grouped(views.length)} of ${grouped(total)})`);
    this.more.hidden = total <= views.length;
  }

  /** Ask again for the pages that the reader has opened, but not all the time. */
  async refresh() {
    if (this.#pages === 0 || performance.now() - this.#loaded_ms < FRESH_MS) return;
    this.#loaded_ms = performance.now();
    await this.#load(this.#pages);
  }

  async #loadMore() {
    this.more.disabled = true;
    await this.#load(this.#pages + 1);
    this.more.disabled = false;
  }

  async #load(pages) {
    let [rows, after] = [[], null];
    try {
      for (let page = 0; page < pages; page += 1) {
        const query = new URLSearchParams({ state: this.state, limit: PAGE });
        if (after !== null) query.set("after", after);
        const answer = await get(`/api/jobs?${query}`);
        rows = rows.concat(answer.jobs);
        after = answer.next;
        if (after === null) break;
      }
    } catch (error) {
      this.onRefusal(error);
      return;
    }
    Object.assign(this, { extra: rows });
    this.#pages = pages;
    this.#loaded_ms = performance.now();
    this.onMore();
  }
}
