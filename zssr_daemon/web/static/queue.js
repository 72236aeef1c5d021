// QueueState: what is known of the queue, put together from uploads, snapshots and statuses.

import { Losses } from "./curve.js";

const LINGER_MS = 5000; // a job that ends is in no list for a moment
const UNSEEN_MS = 5000; // a file that has arrived is in a list by then, if the lists hold all

const EMPTY = { settling: [], queued: [], done: [], failed: [], counts: null };

export class QueueState {
  #told = new Map(); // jobs in work, by id: {job, at_ms}

  constructor() {
    Object.assign(this, { snapshot: EMPTY, status: null, daemon: "unknown", isUp: true });
    this.losses = new Losses();
    this.skew_s = 0;
    this.stopping = new Set();
  }

  setSnapshot(snapshot) {
    this.snapshot = snapshot;
    this.daemon = snapshot.daemon;
    this.snapshot_ms = performance.now();
    for (const row of [...snapshot.failed, ...snapshot.done]) this.stopping.delete(row.id);
    if (snapshot.now) this.skew_s = snapshot.now - Date.now() / 1000;
    this.setStatus(snapshot.status ?? null);
  }

  setStatus(status) {
    this.status = status;
    const jobs = status?.jobs ?? [];
    const at_ms = performance.now();
    for (const job of jobs) this.#told.set(job.job_id, { job, at_ms });
    this.losses.add(jobs);
  }

  get now_s() {
    return Date.now() / 1000 + this.skew_s;
  }

  /**
   * The rows of each section, each job in one of them; `more`: rows that the reader asked for.
   * `moved`: how many rows of each list are shown elsewhere.
   */
  lists(more) {
    const given = {};
    for (const state of ["queued", "done", "failed"]) {
      given[state] = unique([...this.snapshot[state], ...more[state]]);
    }
    const running = this.#running([...given.done, ...given.failed, ...given.queued]);
    const inWork = new Set(running.map((job) => job.job_id));
    const queued = given.queued.filter((row) => !inWork.has(row.id));
    const live = new Set([...inWork, ...queued.map((row) => row.id)]);
    const isOver = (row) => !live.has(row.id);
    const done = given.done.filter(isOver);
    const here = new Set([...running, ...queued].map((row) => row.image));
    // A job that is brought back stays failed in the ledger until the gate has seen its file.
    const back = given.failed.filter(({ disposal }) => disposal === "retry");
    const inInbox = new Set([...this.snapshot.settling, ...back.map((row) => row.image)]);
    const settling = [...inInbox].filter((image) => !here.has(image));
    const failed = given.failed.filter(
      (row) => isOver(row) && !here.has(row.image) && !inInbox.has(row.image),
    );
    const shown = { queued, done, failed };
    const moved = {};
    for (const state of Object.keys(shown))
      moved[state] = given[state].length - shown[state].length;
    return { running, queued, settling, done, failed, moved };
  }

  /** Whether an upload that has arrived is shown by a list, or lies beyond what lists show. */
  isSeen(upload, lists) {
    if (upload.state !== "arrived") return false;
    if (lists.settling.includes(upload.image)) return true;
    const rows = [...lists.running, ...lists.queued, ...lists.done, ...lists.failed];
    if (rows.some((row) => row.image === upload.image)) return true;
    return this.snapshot_ms > upload.arrived_ms + UNSEEN_MS;
  }

  /** Whether an image lies in the inbox still, as far as the lists tell. */
  isInInbox(image) {
    const { settling, queued, done, failed } = this.snapshot;
    if (settling.includes(image) || queued.some((row) => row.image === image)) return true;
    if (this.status?.jobs.some((job) => job.image === image)) return true;
    return ![...done, ...failed].some((row) => row.image === image);
  }

  #running(elsewhere) {
    const now_ms = performance.now();
    const current = new Set((this.status?.jobs ?? []).map((job) => job.job_id));
    const known = new Set(elsewhere.map((row) => row.id));
    for (const [id, { at_ms }] of this.#told) {
      if (current.has(id)) continue;
      if (known.has(id) || now_ms - at_ms > LINGER_MS) this.#told.delete(id);
    }
    const jobs = [...this.#told.values()].map(({ job }) => job);
    return jobs.sort((one, other) => one.started_at - other.started_at);
  }
}

/** Rows without those whose job has come before. */
function unique(rows) {
  const ids = new Set();
  return rows.filter((row) => !ids.has(row.id) && ids.add(row.id));
}
