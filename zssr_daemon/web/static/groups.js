// Finished pictures, a heading for each batch: it is sent as one, and fetched as one.

import { KeyedList, element, setText } from "./dom.js";
import { Row } from "./row.js";
import { batchOf, count, isTry, splitPath } from "./words.js";

/** Rows in groups, in the order in which their first rows come. */
export class Groups {
  constructor(parent) {
    this.list = new KeyedList(
      parent,
      (group) => group.key,
      (group) => new Group(group),
    );
  }

  show(views) {
    const groups = new Map();
    for (const view of views) {
      const key = groupOf(view.image);
      if (!groups.has(key)) groups.set(key, { key, views: [] });
      groups.get(key).views.push(view);
    }
    this.list.show([...groups.values()]);
  }
}

const groupOf = (image) => (isTry(image) ? "parts" : (batchOf(image) ?? splitPath(image).folder));

class Group {
  constructor({ key, views }) {
    const batch = isTry(views[0].image) ? null : batchOf(views[0].image);
    this.title = element("span", { class: "group-title" });
    const head = element("div", { class: "group-head" }, this.title);
    if (batch !== null) {
      const attributes = { class: "small", href: `/batches/${batch}.zip`, download: "" };
      head.append(
        element(
          "a",
          { ...attributes, "aria-label": `Download batch ${batch} as zip` },
          "Download all (zip)",
        ),
      );
    }
    this.name = { parts: "Parts, ×8", "": "Inbox" }[key] ?? (batch === null ? key : `Batch ${key}`);
    const list = element("ul", { class: "rows", "aria-label": this.name });
    this.rows = new KeyedList(
      list,
      (view) => view.key,
      () => new Row(),
    );
    this.root = element("div", { class: "group" }, head, list);
  }

  update({ views }) {
    setText(this.title, `${this.name} · ${count(views.length, "picture")}`);
    this.rows.show(views);
  }
}
