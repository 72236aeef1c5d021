// PartFrame: the square part of a picture that is cut out, moved by pointer, keys or chance.

const STEP_PX = 4;
const FAR = 8; // with Shift

export class PartFrame {
  #drag = null;

  /** canvas: shows the picture, scaled; frame: lies on it. onChange: told after every move. */
  constructor(canvas, frame, onChange) {
    Object.assign(this, { canvas, frame, onChange, picture: null, x: 0, y: 0, side: 96 });
    frame.addEventListener("keydown", (event) => this.#onKey(event));
    canvas.parentElement.addEventListener("pointerdown", (event) => this.#onDown(event));
    canvas.parentElement.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.parentElement.addEventListener(end, () => (this.#drag = null));
    }
    new ResizeObserver(() => this.#show()).observe(canvas);
  }

  /** Take a picture, an ImageBitmap, and show it as large as the view allows. */
  setPicture(picture) {
    this.picture = picture;
    Object.assign(this.canvas, { width: picture.width, height: picture.height });
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    this.setSide(this.side);
    this.toRandom();
  }

  setSide(side) {
    this.side = side;
    if (this.picture !== null) this.moveTo(this.x, this.y);
  }

  /** The side that is cut: a picture may be smaller than what was asked for. */
  get cutSide() {
    return Math.min(this.side, this.picture.width, this.picture.height);
  }

  toRandom() {
    const { width, height } = this.picture;
    const chance = (room) => Math.floor(Math.random() * (room + 1));
    this.moveTo(chance(width - this.cutSide), chance(height - this.cutSide));
  }

  moveTo(x, y) {
    const { width, height } = this.picture;
    const within = (at, room) => Math.round(Math.min(Math.max(0, at), room));
    this.x = within(x, width - this.cutSide);
    this.y = within(y, height - this.cutSide);
    this.#show();
    this.onChange();
  }

  /** The part, as ImageData and as a PNG. */
  async cut() {
    const side = this.cutSide;
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d", { alpha: false });
    context.drawImage(this.picture, this.x, this.y, side, side, 0, 0, side, side);
    const png = await canvas.convertToBlob({ type: "image/png" });
    return { pixels: context.getImageData(0, 0, side, side), png };
  }

  #show() {
    if (this.picture === null) return;
    const scale = this.#scale();
    const style = this.frame.style;
    style.left = `${this.canvas.offsetLeft + this.x * scale}px`;
    style.top = `${this.canvas.offsetTop + this.y * scale}px`;
    style.width = style.height = `${this.cutSide * scale}px`;
    this.frame.setAttribute("aria-label", `Part of ${this.cutSide} pixels at ${this.x}, ${this.y}`);
  }

  /** Pixels of the screen for one of the picture. */
  #scale() {
    return this.canvas.clientWidth / this.picture.width;
  }

  #onKey(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (move === undefined || this.picture === null) return;
    event.preventDefault();
    const step = STEP_PX * (event.shiftKey ? FAR : 1);
    this.moveTo(this.x + move[0] * step, this.y + move[1] * step);
  }

  /** A press on the frame takes it; a press beside it brings it there first. */
  #onDown(event) {
    if (this.picture === null || event.button !== 0) return;
    event.preventDefault();
    this.frame.focus({ preventScroll: true });
    const { x, y } = this.#at(event);
    const side = this.cutSide;
    const isInside = x >= this.x && y >= this.y && x < this.x + side && y < this.y + side;
    if (!isInside) this.moveTo(x - side / 2, y - side / 2);
    this.#drag = { dx: x - this.x, dy: y - this.y };
    event.currentTarget.setPointerCapture(event.pointerId);
  }

  #onMove(event) {
    if (this.#drag === null) return;
    const { x, y } = this.#at(event);
    this.moveTo(x - this.#drag.dx, y - this.#drag.dy);
  }

  #at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const scale = this.#scale();
    return { x: (event.clientX - left) / scale, y: (event.clientY - top) / scale };
  }
}
