// Viewer: two pictures of one grid compared at full resolution, by a slider or side by side.

import { element } from "./dom.js";
import { Pane } from "./pane.js";
import { grouped } from "./words.js";

const STEP_PX = 64;
const GRIP_PX = 18; // so near to the divider, a pointer takes it
const MAP_PX = 120;
const BORDERS_PX = 2; // of the stage
const MOST_VIEW_PX = 896; // the server cuts 1024: there is something left to move into at once

export class Viewer {
  #drag = null;

  /**
   * pictures: [{key, label, width, height, address}], as panes take them; the first has the grid.
   * left, right: keys of what is shown at first. layout: "slider" or "side".
   */
  constructor(parent, pictures, { left, right, layout }) {
    Object.assign(this, { pictures, grid: pictures[0], layout, split: 50, zoom: 1, x: 0, y: 0 });
    this.panes = { left: new Pane("left"), right: new Pane("right") };
    this.#build(parent, left, right);
    this.#listen();
    this.#choose("left", left);
    this.#choose("right", right);
    this.#setLayout(layout);
    this.#centre();
    new ResizeObserver(() => this.#show()).observe(this.stage);
  }

  #build(parent, left, right) {
    this.selects = { left: this.#select("Left", left), right: this.#select("Right", right) };
    this.layouts = choice(
      "Layout",
      [
        ["slider", "Slider"],
        ["side", "Side by side"],
      ],
      this.layout,
    );
    this.zooms = choice(
      "Zoom",
      [
        ["1", "1×"],
        ["2", "2×"],
        ["4", "4×"],
      ],
      "1",
    );
    this.place = element("output", { class: "place" });
    this.divider = element("div", { class: "divider" });
    this.stage = element(
      "div",
      {
        class: "compare",
        tabindex: "0",
        role: "group",
        "aria-label": "Compared part; the arrow keys move it",
      },
      this.panes.left.root,
      this.panes.right.root,
      this.divider,
    );
    this.range = element("input", {
      type: "range",
      min: "0",
      max: "100",
      step: "0.5",
      value: "50",
    });
    this.frame = element("div", { class: "map-frame" });
    this.map = element("div", { class: "map", "aria-hidden": "true" }, this.frame);
    this.slider = element("label", { class: "slider" }, "Slider", this.range);
    const { left: one, right: other } = this.selects;
    this.below = element("div", { class: "below" }, this.slider, this.place, this.map);
    const bar = element("div", { class: "bar" }, one.root, other.root, this.layouts, this.zooms);
    parent.replaceChildren(bar, this.stage, this.below);
    const { width, height } = this.grid;
    const scale = MAP_PX / Math.max(width, height);
    this.map.style.width = `${Math.max(8, width * scale)}px`;
    this.map.style.height = `${Math.max(8, height * scale)}px`;
  }

  #select(title, chosen) {
    const options = this.pictures.map(({ key, label }) =>
      element("option", { value: key, selected: key === chosen }, label),
    );
    const select = element("select", {}, ...options);
    return { select, root: element("label", {}, title, select) };
  }

  #listen() {
    for (const side of ["left", "right"]) {
      const { select } = this.selects[side];
      select.addEventListener("change", () => this.#choose(side, select.value));
    }
    this.layouts.addEventListener("change", (event) => this.#setLayout(event.target.value));
    this.zooms.addEventListener("change", (event) => this.#setZoom(Number(event.target.value)));
    this.range.addEventListener("input", () => this.#setSplit(Number(this.range.value)));
    this.stage.addEventListener("keydown", (event) => this.#onKey(event));
    this.stage.addEventListener("pointerdown", (event) => this.#onDown(event));
    this.stage.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(end, () => (this.#drag = null));
    }
    this.map.addEventListener("pointerdown", (event) => this.#onMap(event));
  }

  #choose(side, key) {
    this.panes[side].setPicture(this.pictures.find((picture) => picture.key === key));
    this.#show();
  }

  #setLayout(layout) {
    this.layout = layout;
    this.stage.classList.toggle("side", layout === "side");
    this.slider.hidden = layout === "side";
    this.#fitStage();
    this.#setSplit(this.split);
  }

  #setZoom(zoom) {
    const { width, height } = this.#view();
    const [x, y] = [this.x + width / 2, this.y + height / 2];
    this.zoom = zoom;
    this.#fitStage();
    const next = this.#view();
    this.#moveTo(x - next.width / 2, y - next.height / 2);
  }

  /** The stage is no larger than what it shows. */
  #fitStage() {
    const widest = Math.min(MOST_VIEW_PX, this.grid.width * this.zoom);
    const width = `${Math.max(256, this.layout === "side" ? 2 * widest : widest) + BORDERS_PX}px`;
    this.stage.style.maxWidth = this.below.style.maxWidth = width;
    const height = Math.min(MOST_VIEW_PX, this.grid.height * this.zoom);
    this.stage.style.maxHeight = `${height + BORDERS_PX}px`;
  }

  #setSplit(split) {
    this.split = Math.min(100, Math.max(0, split));
    this.range.value = String(this.split);
    const isSlider = this.layout === "slider";
    this.panes.right.root.style.clipPath = isSlider ? `inset(0 0 0 ${this.split}%)` : "none";
    this.divider.style.left = `${this.split}%`;
    this.#show();
  }

  /** What is looked at, in pixels of the grid. */
  #view() {
    const { clientWidth, clientHeight } = this.panes.left.root;
    const width = Math.min(this.grid.width, clientWidth / this.zoom);
    const height = Math.min(this.grid.height, clientHeight / this.zoom);
    return { x: this.x, y: this.y, width, height };
  }

  #centre() {
    const { width, height } = this.#view();
    this.#moveTo((this.grid.width - width) / 2, (this.grid.height - height) / 2);
  }

  #moveTo(x, y) {
    const { width, height } = this.#view();
    this.x = Math.round(Math.min(Math.max(0, x), this.grid.width - width));
    this.y = Math.round(Math.min(Math.max(0, y), this.grid.height - height));
    this.#show();
  }

  #show() {
    const view = this.#view();
    if (!this.panes.right.picture || view.width <= 0 || view.height <= 0) return;
    const { width, height } = this.grid;
    for (const pane of Object.values(this.panes)) pane.show(view, this.grid, this.zoom);
    this.place.value = `${grouped(this.x)}, ${grouped(this.y)} of ${grouped(width)} × ${grouped(height)} pixels`;
    const style = this.frame.style;
    style.left = `${(100 * view.x) / width}%`;
    style.top = `${(100 * view.y) / height}%`;
    style.width = `${(100 * view.width) / width}%`;
    style.height = `${(100 * view.height) / height}%`;
  }

  #onKey(event) {
    const step = (event.shiftKey ? 8 : 1) * (STEP_PX / this.zoom);
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.#moveTo(this.x + move[0] * step, this.y + move[1] * step);
  }

  #onDown(event) {
    if (event.button !== 0) return;
    const { left, width } = this.stage.getBoundingClientRect();
    const distance = Math.abs(event.clientX - left - (width * this.split) / 100);
    const isDivider = this.layout === "slider" && distance <= GRIP_PX;
    this.#drag = { isDivider, left, width, from: event, x: this.x, y: this.y };
    this.stage.setPointerCapture(event.pointerId);
  }

  #onMove(event) {
    if (this.#drag === null) return;
    const { isDivider, left, width, from, x, y } = this.#drag;
    if (isDivider) this.#setSplit((100 * (event.clientX - left)) / width);
    else
      this.#moveTo(
        x - (event.clientX - from.clientX) / this.zoom,
        y - (event.clientY - from.clientY) / this.zoom,
      );
  }

  #onMap(event) {
    const { left, top, width, height } = this.map.getBoundingClientRect();
    const view = this.#view();
    const x = ((event.clientX - left) / width) * this.grid.width - view.width / 2;
    this.#moveTo(x, ((event.clientY - top) / height) * this.grid.height - view.height / 2);
  }
}

/** A group of radio buttons that looks like one control. */
function choice(title, answers, chosen) {
  const name = `${title}-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const buttons = answers.map(([value, label]) =>
    element(
      "label",
      {},
      element("input", { type: "radio", name, value, checked: value === chosen }),
      label,
    ),
  );
  return element("fieldset", { class: "segments" }, element("legend", {}, title), ...buttons);
}
