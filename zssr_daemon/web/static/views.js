// From what the server tells to what a row shows.

import { bytes, clock, count, grouped, isTry, moment, percent, splitPath } from "./words.js";

const size = (width, height) => (width && height ? `${grouped(width)} × ${grouped(height)}` : "");
const factor = (scale) => (scale ? `×${scale}` : "");

/** The parts of a row that every job has. */
function common(image, state) {
  const { folder, name } = splitPath(image);
  return {
    image,
    name,
    folder: isTry(image) ? "a part, ×8" : folder,
    state,
    facts: [],
    actions: [],
  };
}

export function uploadView(upload, uploads) {
  const view = {
    ...{ key: `upload ${upload.key}`, image: null, name: upload.name, folder: upload.folder },
    ...{ state: upload.state, reason: upload.error?.message, cure: upload.error?.cure },
    ...{ facts: [], actions: [] },
  };
  if (upload.state === "uploading") {
    view.fraction = upload.size > 0 ? upload.sent / upload.size : 0;
    const sent = `${percent(view.fraction)} of ${bytes(upload.size)}`;
    view.facts = [upload.request === null ? "waits for its turn" : sent];
    view.actions = [{ label: "Cancel", run: () => uploads.cancel(upload) }];
  } else if (upload.state === "arrived") {
    Object.assign(view, settlingView(upload.image), { key: view.key });
  } else {
    if (upload.state === "cancelled") view.reason = "The upload was cancelled.";
    const { status } = upload.error ?? { status: 0 }; // cancelled, or never answered
    if (status === 0 || status >= 500) {
      view.actions.push({ label: "Send again", run: () => uploads.sendAgain(upload) });
    }
    view.actions.push({ label: "Dismiss", run: () => uploads.dismiss(upload) });
  }
  return view;
}

export function settlingView(image) {
  return {
    ...common(image, "settling"),
    key: image,
    facts: ["is in the inbox; queued once it is still"],
  };
}

export function queuedView(row, run) {
  const place = row.place === 1 ? "next" : row.place ? `place ${grouped(row.place)}` : "";
  return {
    ...common(row.image, "queued"),
    key: row.id,
    facts: [place, size(row.width, row.height), factor(row.scale), row.preset, again(row)],
    actions: [{ label: "Cancel", run: () => run.cancel(row) }],
  };
}

const again = (row) => (row.attempts > 0 ? `tried ${count(row.attempts, "time")}` : "");

/** stopping: whether this tab has asked for the end. now_s: by the server's clock. */
export function runningView(job, points, now_s, isStopping, run) {
  const stage =
    job.stage === null ? "begins" : `${job.stage} ${grouped(job.step)}/${grouped(job.steps)}`;
  return {
    ...common(job.image, "running"),
    key: job.job_id,
    fraction: job.fraction,
    points,
    facts: [
      isStopping ? "stops" : stage,
      percent(job.fraction),
      `${clock(now_s - job.started_at)} elapsed`,
      job.eta_s === null ? "" : `${clock(job.eta_s)} left`,
      job.node ? `on ${job.node}, ${job.device}` : "",
    ],
    actions: isStopping
      ? []
      : [{ label: "Cancel", run: () => run.cancel({ ...job, id: job.job_id }) }],
  };
}

export function doneView(row) {
  const expires = row.expires_at ? `kept until ${moment(row.expires_at)}` : "";
  const took = row.started_at ? `took ${clock(row.finished_at - row.started_at)}` : "";
  return {
    ...common(row.image, "done"),
    key: row.id,
    facts: [moment(row.finished_at), took, factor(row.scale), row.preset, expires, row.found],
    actions: [
      { label: "Compare", href: `/jobs/${row.id}` },
      { label: "Download", href: `/jobs/${row.id}/result`, download: "" },
    ],
  };
}

export const isCancelled = (row) => row.reason === "cancelled";

export function failedView(row, run) {
  return {
    ...common(row.image, isCancelled(row) ? "cancelled" : "failed"),
    key: row.id,
    facts: [row.finished_at ? moment(row.finished_at) : "", isCancelled(row) ? "" : row.reason],
    reason: isCancelled(row) ? "" : (row.reason_text ?? row.message),
    cure: isCancelled(row) ? "" : row.cure,
    actions: [
      { label: "Retry", run: () => run.retry(row) },
      { label: "Details", href: `/jobs/${row.id}` },
    ],
  };
}
