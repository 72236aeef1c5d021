// A row of the queue: one picture, wherever it is, with what can be done about it.

import { Curve } from "./curve.js";
import { element, setText } from "./dom.js";
import { percent } from "./words.js";

/**
 * What a row shows, as plain data:
 * {key, image, name, folder, state, word, facts: [text], reason, cure, fraction, points, actions}.
 * An action is {label, run} or {label, href, download}.
 */
export class Row {
  #actions = new Map();

  constructor() {
    this.name = element("span", { class: "name" });
    this.folder = element("span", { class: "folder" });
    this.state = element("span", { class: "state" });
    this.facts = element("p", { class: "facts" });
    this.reason = element("p", { class: "reason" });
    this.cure = element("p", { class: "cure" });
    this.bar = element("progress", { max: "1", hidden: true });
    this.curve = new Curve();
    this.actions = element("div", { class: "actions" });
    this.root = element(
      "li",
      { class: "row" },
      element("div", { class: "what" }, this.name, this.folder),
      this.state,
      this.facts,
      this.bar,
      this.curve.root,
      this.reason,
      this.cure,
      this.actions,
    );
  }

  update(view) {
    this.root.dataset.name = view.name;
    this.root.dataset.state = view.state;
    this.root.dataset.image = view.image ?? "";
    setText(this.name, view.name);
    this.name.title = view.name;
    setText(this.folder, view.folder);
    setText(this.state, view.word ?? view.state);
    setText(this.facts, view.facts.filter((fact) => fact).join(" · "));
    setText(this.reason, view.reason ?? "");
    setText(this.cure, view.cure ?? "");
    this.#showBar(view);
    this.curve.show(view.points ?? []);
    this.#showActions(view);
  }

  #showBar({ fraction = null, name }) {
    this.bar.hidden = fraction === null;
    if (fraction === null) return;
    this.bar.value = fraction;
    this.bar.setAttribute("aria-label", `${name}: ${percent(fraction)}`);
  }

  #showActions({ actions, name }) {
    const wanted = new Set(actions.map((action) => action.label));
    for (const [label, { node }] of this.#actions) {
      if (wanted.has(label)) continue;
      node.remove();
      this.#actions.delete(label);
    }
    for (const action of actions) {
      const known = this.#actions.get(action.label);
      if (known === undefined) this.#addAction(action, name);
      else known.run = action.run;
    }
    this.actions.hidden = actions.length === 0;
  }

  #addAction({ label, run, href, download }, name) {
    const known = { run };
    const attributes = { class: "small", "aria-label": `${label}: ${name}` };
    if (href !== undefined) {
      known.node = element("a", { ...attributes, href, download: download ?? null }, label);
    } else {
      known.node = element("button", { ...attributes, type: "button" }, label);
      known.node.addEventListener("click", () => known.run());
    }
    this.#actions.set(label, known);
    this.actions.append(known.node);
  }
}
