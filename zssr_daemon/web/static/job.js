// One picture: its result beside its source or another result, what was found in it, its files.

import "./session.js";
import { byId, element, setText } from "./dom.js";
import { cropPath, get, pictureAt, post } from "./http.js";
import { tellRefusal } from "./notices.js";
import { Viewer } from "./viewer.js";
import { batchOf, clock, grouped, isTry, moment, splitPath } from "./words.js";

const AGAIN_MS = 1500;
const MOST_OTHERS = 100;

const id = byId("name").dataset.job;
const besideId = new URLSearchParams(location.search).get("beside");

async function load() {
  try {
    const { job } = await get(`/api/jobs/${id}`);
    showHead(job);
    showFacts(job);
    if (job.state === "done") await showDone(job);
    else if (job.state === "failed") showRetry();
    else setTimeout(load, AGAIN_MS);
  } catch (error) {
    tellRefusal(error);
    setText(byId("name"), "No such picture");
  }
}

function showHead(job) {
  const { name } = splitPath(job.image);
  const state = job.reason === "cancelled" ? "cancelled" : job.state;
  setText(byId("name"), name);
  document.title = `${name} · zssr_daemon`;
  byId("state").dataset.state = state;
  setText(byId("state"), state);
  setText(byId("found"), job.found ?? "");
  const isFailed = job.state === "failed";
  setText(byId("reason"), isFailed ? (job.reason_text ?? job.message ?? job.reason) : "");
  setText(byId("cure"), isFailed ? (job.cure ?? "") : "");
}

const isShown = (value) => value !== null && value !== undefined && value !== "";
const dimensions = ({ width, height }) =>
  width ? `${grouped(width)} × ${grouped(height)} pixels` : null;

function showFacts(job) {
  const took = job.started_at && job.finished_at ? clock(job.finished_at - job.started_at) : null;
  const facts = {
    Source: job.image,
    "Source size": dimensions(job),
    "Result size": job.state === "done" ? dimensions(gridOf(job)) : null,
    Result: job.out_rel,
    Preset: job.preset,
    Scale: job.scale ? `×${job.scale}` : null,
    "Source now": job.disposal === "delete" ? "deleted when its result was done" : null,
    Note: job.note,
    Message: job.state === "failed" ? job.message : null,
    Attempts: job.attempts,
    Queued: job.created_at && moment(job.created_at),
    Begun: job.started_at && moment(job.started_at),
    Ended: job.finished_at && moment(job.finished_at),
    Took: took,
    "Kept until": job.expires_at && moment(job.expires_at),
    "SHA-256 of the result": job.out_sha256,
    Job: job.id,
  };
  byId("facts").replaceChildren(...pairs(facts));
  if (!job.settings) return;
  byId("settings-part").hidden = false;
  byId("settings").replaceChildren(...pairs(flat(job.settings)));
}

function* pairsOf(facts) {
  for (const [name, value] of Object.entries(facts)) {
    if (isShown(value))
      yield element("div", {}, element("dt", {}, name), element("dd", {}, String(value)));
  }
}

const pairs = (facts) => [...pairsOf(facts)];

/** {table: {key: value}} as {"table.key": value}. */
function flat(settings, before = "") {
  const found = {};
  for (const [name, value] of Object.entries(settings)) {
    const isTable = value !== null && typeof value === "object" && !Array.isArray(value);
    if (isTable) Object.assign(found, flat(value, `${before}${name}.`));
    else found[before + name] = typeof value === "string" ? value : JSON.stringify(value);
  }
  return found;
}

/** The size of a result; the scale is told as "2", or as "2x3" for x and y. */
function gridOf({ width, height, scale }) {
  const [x, y = x] = String(scale).split("x").map(Number);
  return { width: Math.round(width * x), height: Math.round(height * y) };
}

function pictureOf(job, side, label) {
  const address = (part) => pictureAt(cropPath(job.id, side, part));
  return { key: `${side} ${job.id}`, label, address, ...gridOf(job) };
}

const labelOf = (job) =>
  `result${job.preset ? `, ${job.preset}` : ""}${job.scale ? ` ×${job.scale}` : ""}`;

async function showDone(job) {
  showLinks(job);
  const result = pictureOf(job, "result", labelOf(job));
  const pictures = [result];
  let shown = { left: result.key, right: result.key, layout: "slider" };
  if (job.disposal !== "delete") {
    const source = pictureOf(job, "source", "source, bicubic");
    pictures.push(source);
    shown.left = source.key;
  }
  if (besideId !== null) {
    const { job: other } = await get(`/api/jobs/${encodeURIComponent(besideId)}`);
    const isAlike = labelOf(other) === labelOf(job);
    const label = isAlike ? `${labelOf(other)}, ${moment(other.finished_at)}` : labelOf(other);
    const second = pictureOf(other, "result", label);
    pictures.push(second);
    shown = { left: result.key, right: second.key, layout: "side" };
  }
  new Viewer(byId("viewer"), pictures, shown);
  await offerOthers(job);
}

/** What can be done about a picture that has failed. */
function showRetry() {
  const button = element("button", { type: "button", class: "main" }, "Retry");
  button.addEventListener("click", async () => {
    try {
      await post(`/api/jobs/${id}/retry`);
      location.assign("/");
    } catch (error) {
      tellRefusal(error);
    }
  });
  byId("links").replaceChildren(button);
}

function showLinks(job) {
  const link = (label, href, attributes = {}) =>
    element("a", { class: "button", href, ...attributes }, label);
  const links = [
    link("Download", `/jobs/${id}/result`, { class: "button main", download: "" }),
    link("As base64", `/jobs/${id}/result?encoding=base64`, { download: "" }),
  ];
  if (job.settings?.output?.report)
    links.push(link("Report", `/jobs/${id}/report`, { target: "_blank", rel: "noopener" }));
  const batch = isTry(job.image) ? null : batchOf(job.image);
  if (batch !== null)
    links.push(link("Whole batch (zip)", `/batches/${batch}.zip`, { download: "" }));
  byId("links").replaceChildren(...links);
}

/** Offer the results of pictures with the same name and size: they come of the same source. */
async function offerOthers(job) {
  const { jobs } = await get(`/api/jobs?state=done&limit=${MOST_OTHERS}`);
  const { name } = splitPath(job.image);
  const isSame = (other) =>
    other.id !== job.id &&
    splitPath(other.image).name === name &&
    other.width === job.width &&
    other.height === job.height;
  const others = jobs.filter(isSame);
  byId("beside-part").hidden = others.length === 0;
  const options = others.map((other) =>
    element(
      "option",
      { value: other.id, selected: other.id === besideId },
      `${labelOf(other)}, ${moment(other.finished_at)}`,
    ),
  );
  byId("beside").append(...options);
  byId("beside").addEventListener("change", (event) => {
    const chosen = event.target.value;
    location.search = chosen === "" ? "" : `?beside=${encodeURIComponent(chosen)}`;
  });
}

load();
