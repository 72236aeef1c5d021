// The loss of a fit, drawn while it runs: one line on a logarithmic scale.

import { element } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, MOST_POINTS] = [160, 40, 320];

/** The losses of jobs in work, as far as this tab has seen them. */
export class Losses {
  #byJob = new Map();

  /** Note what the status says, and forget jobs that are no longer in work. */
  add(jobs) {
    const told = new Set(jobs.map((job) => job.job_id));
    for (const id of this.#byJob.keys()) if (!told.has(id)) this.#byJob.delete(id);
    for (const job of jobs) if (job.stage === "fit" && job.loss > 0) this.#note(job);
  }

  of(id) {
    return this.#byJob.get(id) ?? [];
  }

  #note(job) {
    const points = this.#byJob.get(job.job_id) ?? [];
    const last = points.at(-1);
    if (last !== undefined && job.step < last.step) points.length = 0; // another attempt
    if (last === undefined || job.step !== last.step)
      points.push({ step: job.step, steps: job.steps, loss: job.loss });
    if (points.length > MOST_POINTS) {
      for (let at = points.length - 2; at > 0; at -= 2) points.splice(at, 1);
    }
    this.#byJob.set(job.job_id, points);
  }
}

/** A small drawing of `{step, steps, loss}` points; `show` redraws it. */
export class Curve {
  constructor() {
    this.line = document.createElementNS(SVG, "polyline");
    const picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("aria-hidden", "true");
    picture.append(this.line);
    this.caption = element("figcaption");
    this.root = element("figure", { class: "curve", hidden: true }, picture, this.caption);
  }

  show(points) {
    this.root.hidden = points.length < 2;
    if (this.root.hidden) return;
    this.line.setAttribute("points", placed(points));
    this.caption.textContent = `loss ${points.at(-1).loss.toPrecision(3)}`;
  }
}

function placed(points) {
  const logs = points.map((point) => Math.log(point.loss));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const x = ({ step, steps }) => (WIDTH * step) / Math.max(steps, 1);
  const y = (log) => 2 + ((HEIGHT - 4) * (high - log)) / Math.max(high - low, 1e-6);
  return points.map((point, at) => `${x(point).toFixed(1)},${y(logs[at]).toFixed(1)}`).join(" ");
}
