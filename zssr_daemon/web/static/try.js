// Try a part: it is cut here, enlarged eight times by the daemon, and shown beside bicubic.

import "./session.js";
import { enlarged } from "./bicubic.js";
import { KeyedList, byId } from "./dom.js";
import { cropPath, pictureAt, post, send } from "./http.js";
import { Live } from "./live.js";
import { announce } from "./notices.js";
import { PartFrame } from "./part_frame.js";
import { QueueState } from "./queue.js";
import { Row } from "./row.js";
import { Viewer } from "./viewer.js";
import { doneView, failedView, queuedView, runningView, settlingView } from "./views.js";

const SCALE = 8;

const queue = new QueueState();
const rows = new KeyedList(
  byId("outcome").querySelector(".rows"),
  () => "part",
  () => new Row(),
);
const frame = new PartFrame(byId("canvas"), byId("frame"), () => {});
let tried = null; // {image, pixels, isShown}

const run = {
  cancel: (row) => asked(() => post(`/api/jobs/${row.id}/cancel`)),
  retry: (row) => asked(() => post(`/api/jobs/${row.id}/retry`)),
};

async function asked(act) {
  byId("try-error").textContent = "";
  try {
    return await act();
  } catch (error) {
    byId("try-error").textContent = [error.message, error.cure].filter(Boolean).join(" ");
    return null;
  }
}

async function take(file) {
  await asked(async () => {
    let picture;
    try {
      picture = await createImageBitmap(file);
    } catch {
      throw new Error(
        "This browser cannot show that picture. Send it whole, from the queue's view.",
      );
    }
    byId("stage").hidden = false;
    for (const id of ["random", "side", "send"]) byId(id).disabled = false;
    frame.setPicture(picture);
  });
}

async function enlarge() {
  byId("send").disabled = true;
  const sent = await asked(async () => {
    const { pixels, png } = await frame.cut();
    return { pixels, ...(await send("POST", "/tries", png)) };
  });
  byId("send").disabled = false;
  if (sent === null) return;
  tried = { ...sent, isShown: false };
  byId("viewer").replaceChildren();
  byId("outcome").hidden = false;
  draw();
}

/** What is known of the part now. */
function viewOfTry({ running, queued, done, failed }) {
  const { image } = tried;
  const ofTry = (row) => row.image === image;
  const job = running.find(ofTry);
  if (job) return runningView(job, queue.losses.of(job.job_id), queue.now_s, false, run);
  if (queued.some(ofTry)) return queuedView(queued.find(ofTry), run);
  if (done.some(ofTry)) return doneView(done.find(ofTry));
  if (failed.some(ofTry)) return failedView(failed.find(ofTry), run);
  return settlingView(image);
}

function draw() {
  if (tried === null) return;
  const view = viewOfTry(queue.lists({ queued: [], done: [], failed: [] }));
  rows.show([view]);
  if (view.state === "done" && !tried.isShown) show(view.key);
}

function show(id) {
  tried.isShown = true;
  announce("The part is enlarged");
  const bicubic = enlarged(tried.pixels, SCALE);
  const { width, height } = bicubic;
  const pictures = [
    {
      ...{ key: "result", label: "zssr_daemon", width, height },
      address: (part) => pictureAt(cropPath(id, "result", part)),
    },
    { key: "source", label: "bicubic", width, height, address: (part) => addressOf(bicubic, part) },
  ];
  new Viewer(byId("viewer"), pictures, { left: "source", right: "result", layout: "slider" });
}

/** An address of a part of ImageData. */
async function addressOf(image, { x, y, w, h }) {
  const canvas = new OffscreenCanvas(w, h);
  canvas.getContext("2d").putImageData(image, -x, -y);
  return URL.createObjectURL(await canvas.convertToBlob());
}

function listen() {
  byId("choose").addEventListener("click", () => byId("picture").click());
  byId("picture").addEventListener("change", ({ target }) => {
    if (target.files.length > 0) take(target.files[0]);
    target.value = "";
  });
  byId("random").addEventListener("click", () => frame.toRandom());
  byId("send").addEventListener("click", enlarge);
  byId("side").addEventListener("input", ({ target }) => {
    byId("side-text").value = `${target.value} px`;
    frame.setSide(Number(target.value));
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files[0]);
  });
}

listen();
setInterval(() => document.hidden || draw(), 1000);
new Live({
  snapshot(snapshot) {
    queue.setSnapshot(snapshot);
    draw();
  },
  status(status) {
    queue.setStatus(status);
    draw();
  },
  link() {},
});
