// A pane of the viewer: the part of one picture that is looked at, fetched as it is needed.

import { element } from "./dom.js";

const MOST_PX = 1024; // the server cuts no larger part
const MARGIN = 0.25; // of the view, fetched on each side, so that a small step shows no gap

export class Pane {
  #asked = 0;
  #loaded = null; // {x, y, width, height} on the viewer's grid
  #pending = null;

  constructor(side) {
    this.image = element("img", { alt: "", draggable: "false" });
    this.label = element("span", { class: "tag" });
    this.fault = element("p", { class: "fault", hidden: true });
    this.root = element("div", { class: `pane ${side}` }, this.image, this.label, this.fault);
  }

  /** Take another picture: {label, width, height, address}; `address` fetches a part,
   * {x, y, w, h}, and returns an address of it in this browser, which is revoked here.. */
  setPicture(picture) {
    Object.assign(this, { picture });
    this.#loaded = this.#pending = null;
    this.label.textContent = picture.label;
    this.image.hidden = true;
    this.fault.hidden = true;
  }

  /** Show a view, {x, y, width, height} on a grid of {gridWidth, gridHeight}, at a zoom. */
  show(view, grid, zoom) {
    this.image.alt = `${this.picture.label}, part at ${Math.round(view.x)}, ${Math.round(view.y)}`;
    this.image.classList.toggle("large", zoom > 1);
    this.#place(view, zoom);
    if (this.#loaded === null || !holds(this.#loaded, view)) {
      if (this.#pending === null || !holds(this.#pending, view)) this.#fetch(view, grid);
    }
  }

  #place(view, zoom) {
    this.view = { view, zoom };
    if (this.#loaded === null) return;
    const { x, y, width, height } = this.#loaded;
    const style = this.image.style;
    style.width = `${width * zoom}px`;
    style.height = `${height * zoom}px`;
    style.transform = `translate(${(x - view.x) * zoom}px, ${(y - view.y) * zoom}px)`;
  }

  async #fetch(view, grid) {
    const { region, own } = regionOf(view, grid, this.picture);
    const [asked, { picture }] = [++this.#asked, this];
    this.#pending = region;
    let address;
    try {
      address = await picture.address(own);
      const next = new Image();
      next.src = address;
      await next.decode();
      if (asked !== this.#asked) return;
      this.image.src = address;
      await this.image.decode();
      if (asked !== this.#asked) return;
      this.#loaded = fitted(region, own, next);
      this.image.hidden = false;
      this.fault.hidden = true;
      this.#place(this.view.view, this.view.zoom);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.fault.textContent = error.message;
      this.fault.hidden = false;
    } finally {
      if (asked === this.#asked) this.#pending = null;
      if (address !== undefined) setTimeout(() => URL.revokeObjectURL(address), 1000);
    }
  }
}

/** The part to fetch: around the view, within the picture; `own` is it on the picture's own grid. */
function regionOf(view, grid, picture) {
  const [left, right] = span(view.x, view.width, grid.width, picture.width);
  const [top, bottom] = span(view.y, view.height, grid.height, picture.height);
  const own = { x: left.own, y: top.own, w: right.own - left.own, h: bottom.own - top.own };
  const region = {
    x: left.grid,
    y: top.grid,
    width: right.grid - left.grid,
    height: bottom.grid - top.grid,
  };
  return { own, region };
}

/** The region that a picture shows: at the border it can be smaller than what was asked for. */
function fitted(region, own, { naturalWidth, naturalHeight }) {
  const width = (region.width * naturalWidth) / own.w;
  return { ...region, width, height: (region.height * naturalHeight) / own.h };
}

/** Begin and end of the part along one axis, on whole pixels of the picture's own grid. */
function span(from, length, gridLength, ownLength) {
  const ratio = ownLength / gridLength;
  const [first, last] = [Math.floor(from * ratio), Math.ceil((from + length) * ratio)];
  const margin = Math.max(0, Math.min(MARGIN * (last - first), (MOST_PX - (last - first)) / 2));
  const begin = Math.max(0, Math.floor(first - margin));
  const end = Math.min(ownLength, Math.ceil(last + margin), begin + MOST_PX);
  return [begin, end].map((own) => ({ own, grid: own / ratio }));
}

const SLACK = 1; // pixels; parts begin on whole pixels, views need not

function holds(region, view) {
  return (
    region.x <= view.x + SLACK &&
    region.y <= view.y + SLACK &&
    region.x + region.width >= view.x + view.width - SLACK &&
    region.y + region.height >= view.y + view.height - SLACK
  );
}
