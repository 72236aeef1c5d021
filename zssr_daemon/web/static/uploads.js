// Uploads: every file that this tab was given, from the first byte to the inbox.

import { WRITE_HEADERS, askToLogIn, post, refusal } from "./http.js";
import { bytes } from "./words.js";

const AT_ONCE = 3;
const TOO_MANY = 429; // the server has its hands full; the file is sent again a little later
const BUSY_WAIT_MS = 1500;
const REDRAW_MS = 100;
const SPEED_MS = 5000; // the speed is the mean of so long

/** A folder of the inbox with its choices; the server makes it when its first file is sent. */
class Batch {
  #id = null;

  constructor(choices) {
    Object.assign(this, { choices, files: 0 });
  }

  /** Its name, asked for once; after a refusal it is asked for again. */
  id() {
    this.#id ??= post("/batches", this.choices).then(
      (answer) => answer.batch,
      (error) => {
        this.#id = null;
        throw error;
      },
    );
    return this.#id;
  }
}

/** One file on its way; `state` is uploading, arrived, refused or cancelled. */
class Upload {
  static #made = 0;

  constructor(file, folder, batch) {
    Upload.#made += 1;
    Object.assign(this, {
      key: Upload.#made,
      file,
      folder,
      batch,
      name: file.name,
      size: file.size,
    });
    Object.assign(this, { state: "uploading", sent: 0, image: null, error: null, request: null });
  }

  get path() {
    return this.folder === "" ? this.name : `${this.folder}/${this.name}`;
  }
}

export class Uploads {
  #waiting = [];
  #running = 0;
  #batches = new Map(); // by their choices
  #redraw = 0;
  #sent = []; // lately, {at_ms, bytes}

  /**
   * limits: {max_upload_bytes, max_files, endings}.
   * isInInbox: whether an image that has arrived still waits for its job, or for the job's end.
   */
  constructor(limits, isInInbox, onChange) {
    Object.assign(this, { limits, isInInbox, onChange });
    this.all = [];
  }

  /** Send files, each `{file, folder}`, with the choices of their batch. */
  add(files, choices) {
    const there = this.#namesThere();
    for (const { file, folder } of files) {
      const upload = new Upload(file, folder, this.#batchWith(choices));
      const error = this.#unfit(upload, there);
      this.all.push(upload);
      if (error !== null) {
        Object.assign(upload, { state: "refused", error });
        continue;
      }
      if (!there.has(upload.batch)) there.set(upload.batch, new Set());
      there.get(upload.batch).add(upload.path);
      this.#enqueue(upload);
    }
    this.onChange();
  }

  /** The next files go into a batch of their own, whatever their choices. */
  startNewBatch() {
    this.#batches.clear();
  }

  cancel(...uploads) {
    for (const upload of uploads.filter((each) => each.state === "uploading")) {
      upload.state = "cancelled";
      upload.request?.abort();
    }
    this.#waiting = this.#waiting.filter((each) => each.state === "uploading");
    this.onChange();
  }

  sendAgain(upload) {
    Object.assign(upload, { state: "uploading", sent: 0, error: null });
    this.#enqueue(upload);
    this.onChange();
  }

  /** Forget uploads: those whose jobs are shown by now, or that the reader has seen. */
  forget(isSeen) {
    this.all = this.all.filter((upload) => !isSeen(upload));
  }

  dismiss(upload) {
    this.forget((each) => each === upload);
    this.onChange();
  }

  /** {files, bytes, bytes_per_s}: what is still to be sent, and how fast it goes. */
  get left() {
    const uploading = this.all.filter((upload) => upload.state === "uploading");
    const bytes = uploading.reduce((sum, { size, sent }) => sum + Math.max(0, size - sent), 0);
    const since_ms = performance.now() - SPEED_MS;
    this.#sent = this.#sent.filter(({ at_ms }) => at_ms >= since_ms);
    const lately = this.#sent.reduce((sum, each) => sum + each.bytes, 0);
    return { files: uploading.length, bytes, bytes_per_s: (1000 * lately) / SPEED_MS };
  }

  /** The names that wait in each batch; a second file of one would be refused. */
  #namesThere() {
    const there = new Map();
    for (const { state, image, batch, path } of this.all) {
      const isThere = state === "uploading" || (state === "arrived" && this.isInInbox(image));
      if (!isThere) continue;
      if (!there.has(batch)) there.set(batch, new Set());
      there.get(batch).add(path);
    }
    return there;
  }

  #batchWith(choices) {
    const key = JSON.stringify(choices);
    let batch = this.#batches.get(key);
    if (batch === undefined || batch.files >= this.limits.max_files) {
      batch = new Batch(choices);
      this.#batches.set(key, batch);
    }
    return batch;
  }

  /** Why a file is not even sent, or null. The server looks, too: this only spares the way. */
  #unfit(upload, there) {
    const { max_upload_bytes: most, endings } = this.limits;
    const { name, size } = upload.file;
    const ending = name.slice(name.lastIndexOf(".")).toLowerCase();
    if (!name.includes(".") || !endings.includes(ending)) {
      const cure = `Names that it can read end in ${endings.join(", ")}.`;
      return { message: "This is no picture that the program can read.", cure };
    }
    if (size > most) {
      const message = `It is too large: ${bytes(size)}, and ${bytes(most)} may be sent.`;
      return { message, cure: "Put it into the inbox folder itself, or have the limit raised." };
    }
    if (size === 0) return { message: "The file is empty.", cure: null };
    if (there.get(upload.batch)?.has(upload.path)) {
      const message = "The same name is already there, and still waits.";
      return { message, cure: "Rename the file, or start a new batch." };
    }
    return null;
  }

  #enqueue(upload) {
    upload.batch.files += 1;
    this.#waiting.push(upload);
    this.#pump();
  }

  #pump() {
    while (this.#running < AT_ONCE && this.#waiting.length > 0) {
      this.#running += 1;
      this.#send(this.#waiting.shift()).finally(() => {
        this.#running -= 1;
        this.#pump();
        this.onChange();
      });
    }
  }

  async #send(upload) {
    try {
      const batch = await upload.batch.id();
      if (upload.state === "uploading") await this.#put(upload, batch);
    } catch (error) {
      if (upload.state !== "uploading") return;
      if (error.status === TOO_MANY) this.#sendLater(upload);
      else Object.assign(upload, { state: "refused", error });
    }
  }

  #sendLater(upload) {
    upload.sent = 0;
    setTimeout(() => {
      if (upload.state !== "uploading") return;
      this.#waiting.push(upload);
      this.#pump();
    }, BUSY_WAIT_MS);
  }

  /** XMLHttpRequest, since fetch does not tell how much of a body has been sent. */
  #put(upload, batch) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      upload.request = request;
      request.open("PUT", `/batches/${batch}/files/${encodeURIComponent(upload.name)}`);
      for (const [name, value] of Object.entries(WRITE_HEADERS))
        request.setRequestHeader(name, value);
      if (upload.folder !== "")
        request.setRequestHeader("X-Rel-Dir", encodeURIComponent(upload.folder));
      request.upload.addEventListener("progress", (event) => {
        this.#sent.push({ at_ms: performance.now(), bytes: event.loaded - upload.sent });
        upload.sent = event.loaded;
        this.#changedSoon();
      });
      const isOver = () => {
        if (request.status === 401) askToLogIn();
        if (request.status !== 201) return reject(refusal(request.status, request.responseText));
        upload.image = JSON.parse(request.responseText).image;
        Object.assign(upload, { state: "arrived", file: null, arrived_ms: performance.now() });
        return resolve();
      };
      for (const end of ["load", "error", "abort", "timeout"])
        request.addEventListener(end, isOver);
      request.send(upload.file);
    });
  }

  #changedSoon() {
    this.#redraw ||= setTimeout(() => {
      this.#redraw = 0;
      this.onChange();
    }, REDRAW_MS);
  }
}
