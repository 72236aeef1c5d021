// The queue's view: files go in, and everything that happens to them is shown.

import "./session.js";
import { ask } from "./ask.js";
import { Choices } from "./choices.js";
import { KeyedList, byId, setText } from "./dom.js";
import { fromDrop, fromInput, isHidden } from "./dropped.js";
import { Groups } from "./groups.js";
import { post } from "./http.js";
import { Live } from "./live.js";
import { Notice, announce, noticesOf, tellRefusal } from "./notices.js";
import { QueueState } from "./queue.js";
import { Section } from "./section.js";
import { Uploads } from "./uploads.js";
import {
  doneView,
  failedView,
  isCancelled,
  queuedView,
  runningView,
  settlingView,
  uploadView,
} from "./views.js";
import { batchOf, bytes, clock, count, grouped } from "./words.js";

const SHOWN_UPLOADS = 50;
const TICK_MS = 1000;

const queue = new QueueState();
const limits = JSON.parse(byId("add").dataset.limits);
const uploads = new Uploads(
  limits,
  (image) => queue.isInInbox(image),
  () => draw(),
);
const choices = new Choices(byId("choices"));
const sentBatches = new Set();
const awaited = new Set(); // images of this tab whose end is announced

const notices = new KeyedList(
  byId("notices"),
  (notice) => notice.key,
  (notice) => new Notice(notice),
);
const options = { onMore: () => draw(), onRefusal: tellRefusal };
const sections = {
  arriving: new Section(byId("arriving")),
  running: new Section(byId("running")),
  queued: new Section(byId("queued"), { state: "queued", ...options }),
  failed: new Section(byId("failed"), { state: "failed", ...options }),
  done: new Section(byId("done"), {
    ...{ state: "done", ...options },
    list: new Groups(byId("done").querySelector(".groups")),
  }),
};

const run = {
  cancel: (row) =>
    asked(
      () => post(`/api/jobs/${row.id}/cancel`),
      () => queue.stopping.add(row.id),
    ),
  retry: (row) => asked(() => post(`/api/jobs/${row.id}/retry`)),
};

/** Send a wish; a refusal is told above. */
async function asked(send, onDone = () => {}) {
  try {
    const answer = await send();
    onDone(answer);
    const [first, ...others] = answer?.errors ?? [];
    if (first) {
      const rest = others.length > 0 ? ` (and ${count(others.length, "other")})` : "";
      tellRefusal({ message: `${first.image}: ${first.error}${rest}` });
    }
  } catch (error) {
    tellRefusal(error);
  }
  draw();
}

function draw() {
  const more = {
    queued: sections.queued.extra,
    done: sections.done.extra,
    failed: sections.failed.extra,
  };
  const lists = queue.lists(more);
  noteArrivals();
  uploads.forget((upload) => queue.isSeen(upload, lists));
  drawArriving(lists);
  drawLists(lists);
  drawNumbers(lists);
  notices.show(noticesOf(queue.status, queue.daemon, queue.isUp));
}

function noteArrivals() {
  for (const { state, image } of uploads.all) {
    if (state !== "arrived") continue;
    awaited.add(image);
    sentBatches.add(batchOf(image));
  }
}

function drawArriving({ settling }) {
  const arrived = new Set(uploads.all.map((upload) => upload.image));
  const others = settling.filter((image) => !arrived.has(image));
  const own = [...uploads.all].sort((one, other) => rank(one) - rank(other));
  const total = own.length + others.length;
  const views = [
    ...own.slice(0, SHOWN_UPLOADS).map((each) => uploadView(each, uploads)),
    ...others.slice(0, Math.max(0, SHOWN_UPLOADS - own.length)).map(settlingView),
  ];
  sections.arriving.show(views, total);
  const hidden = total - views.length;
  setText(byId("arriving-rest"), hidden > 0 ? `and ${count(hidden, "other")}` : "");
  const { left } = uploads;
  setText(byId("arriving-left"), left.files > 0 ? leftInWords(left) : "");
  byId("cancel-uploads").hidden = left.files === 0;
  byId("dismiss-uploads").hidden = !uploads.all.some(isOver);
}

/** Files on their way come first, then what needs a look, then what waits for its turn. */
function rank({ state, request }) {
  if (state === "uploading") return request === null ? 3 : 0;
  return state === "arrived" ? 1 : 2;
}

function leftInWords({ files, bytes: left, bytes_per_s }) {
  const speed =
    bytes_per_s > 0 ? ` · ${bytes(bytes_per_s)}/s · ${clock(left / bytes_per_s)} left` : "";
  return `${count(files, "file")} to send, ${bytes(left)}${speed}`;
}

const isOver = ({ state }) => state === "refused" || state === "cancelled";

function drawLists({ running, queued, failed, done, moved }) {
  const { counts } = queue.snapshot;
  const total = (state) => (counts === null ? 0 : counts[state] - moved[state]);
  const isStopping = (job) => queue.stopping.has(job.job_id);
  const inWork = running.map((job) =>
    runningView(job, queue.losses.of(job.job_id), queue.now_s, isStopping(job), run),
  );
  sections.running.show(inWork, inWork.length);
  sections.queued.show(
    queued.map((row) => queuedView(row, run)),
    total("queued"),
  );
  sections.failed.show(
    failed.map((row) => failedView(row, run)),
    total("failed"),
  );
  sections.done.show(done.map(doneView), total("done"));
  tellEnds(done, failed);
  byId("cancel-queued").hidden = queued.length < 2;
  const cancelled = failed.filter(isCancelled);
  byId("retry-cancelled").hidden = cancelled.length < 2;
  byId("retry-failed").hidden = failed.length - cancelled.length < 2;
  const isEmpty = Object.values(sections).every((section) => section.root.hidden);
  byId("nothing").hidden = !isEmpty || counts === null;
}

/** Announce the ends of pictures that this tab has sent. */
function tellEnds(done, failed) {
  const ends = [...done, ...failed].filter((row) => awaited.has(row.image));
  if (ends.length === 0) return;
  for (const row of ends) awaited.delete(row.image);
  const told = ends.slice(0, 3).map((row) => `${row.image.split("/").at(-1)}: ${row.state}`);
  announce(told.join(", ") + (ends.length > 3 ? `, and ${count(ends.length - 3, "other")}` : ""));
}

function drawNumbers({ running }) {
  const { counts, done_last_hour: hourly, empty_in_s: left_s } = queue.snapshot;
  if (counts === null) return;
  const queued = queue.status?.queued ?? counts.queued;
  const numbers = { settling: counts.settling, queued, running: running.length };
  for (const [name, value] of Object.entries({
    ...numbers,
    done: counts.done,
    failed: counts.failed,
  })) {
    byId(`number-${name}`).textContent = grouped(value);
  }
  byId("number-hourly").textContent = grouped(hourly ?? 0);
  byId("number-empty").textContent = whenEmpty(queued + running.length, left_s);
  const work = queued + running.length;
  document.title = work > 0 ? `(${grouped(work)}) zssr_daemon` : "zssr_daemon";
}

function whenEmpty(work, left_s) {
  if (work === 0) return "now";
  return left_s === null || left_s === undefined ? "not known yet" : `in about ${clock(left_s)}`;
}

/** Take files: hidden ones of folders are left out, and all others get a row. */
function take(found) {
  const files = found.filter((each) => !isHidden(each));
  if (found.length > files.length)
    announce(`${count(found.length - files.length, "hidden file")} left out`);
  if (files.length === 0 || !byId("choices").reportValidity()) return;
  for (const batch of choices.batches()) uploads.add(files, batch);
}

async function cancelQueued() {
  const total = queue.status?.queued ?? 0;
  const [batch] = [...sentBatches].slice(-1);
  const answers = [{ label: "Keep them", value: null }];
  if (batch)
    answers.push({ label: "Cancel those of my last batch", value: `web/${batch}`, isGrave: true });
  answers.push({ label: `Cancel all ${grouped(total)}`, value: "", isGrave: true });
  const text =
    "Their sources go to the folder of failed pictures, also those that others have sent. " +
    "Retry brings them back.";
  const below = await ask("Cancel what is queued?", text, answers);
  if (below !== null) await asked(() => post("/api/cancel-queued", below === "" ? {} : { below }));
}

function listenToFiles() {
  for (const input of document.querySelectorAll("input[type=file]")) {
    const takeChosen = () => {
      take(fromInput(input));
      input.value = ""; // so that the same file can be chosen once more
    };
    input.addEventListener("change", takeChosen);
    if (input.files.length > 0) takeChosen(); // chosen before this script ran
  }
  const zone = byId("drop");
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const lift = (by) => zone.classList.toggle("over", (depth = Math.max(0, depth + by)) > 0);
  window.addEventListener("dragenter", (event) => carriesFiles(event) && lift(1));
  window.addEventListener("dragleave", (event) => carriesFiles(event) && lift(-1));
  window.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  window.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    lift(-depth);
    take(await fromDrop(event.dataTransfer));
  });
}

function listenToButtons() {
  const onClick = (id, act) => byId(id).addEventListener("click", act);
  onClick("choose-files", () => byId("files").click());
  onClick("choose-folder", () => byId("folder").click());
  onClick("new-batch", () => {
    uploads.startNewBatch();
    announce("The next pictures begin a new batch");
  });
  onClick("cancel-uploads", () => uploads.cancel(...uploads.all));
  onClick("dismiss-uploads", () => {
    uploads.forget(isOver);
    draw();
  });
  onClick("cancel-queued", cancelQueued);
  onClick("retry-failed", () => asked(() => post("/api/retry-failed")));
  onClick("retry-cancelled", () => asked(() => post("/api/retry-failed", { cancelled: true })));
}

listenToFiles();
listenToButtons();
window.addEventListener(
  "beforeunload",
  (event) => uploads.left.files > 0 && event.preventDefault(),
);
setInterval(() => document.hidden || (queue.status?.jobs.length ?? 0) === 0 || draw(), TICK_MS);
new Live({
  snapshot(snapshot) {
    queue.setSnapshot(snapshot);
    const isThere = snapshot.daemon !== "away";
    for (const section of Object.values(sections)) if (isThere) section.refresh();
    draw();
  },
  status(status) {
    queue.setStatus(status);
    draw();
  },
  link(isUp) {
    queue.isUp = isUp;
    draw();
  },
});
