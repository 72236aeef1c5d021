// Words and numbers as people read them.

const number = new Intl.NumberFormat("en");

export const grouped = (value) => number.format(value);

/** "1 picture", "2 pictures". */
export const count = (value, noun) => `${grouped(value)} ${noun}${value === 1 ? "" : "s"}`;

/** "0:07", "12:30", "3 h 05 min", "2 d 4 h". */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (minutes < 60) return `${minutes}:${String(whole % 60).padStart(2, "0")}`;
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** "812 bytes", "3.4 kB", "12 MB"; a kilobyte has 1 000. */
export function bytes(value) {
  if (value < 1000) return count(value, "byte");
  const units = ["kB", "MB", "GB", "TB"];
  let [scaled, unit] = [value / 1000, 0];
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`;
}

/** A moment, seconds since the epoch, in the reader's own time zone. */
export function moment(seconds) {
  const date = new Date(seconds * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  const style = isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return date.toLocaleString(undefined, style);
}

export const percent = (fraction) => `${Math.floor(100 * fraction)} %`;

/** The last part of a path, and what stands before it. */
export function splitPath(path) {
  const at = path.lastIndexOf("/");
  return { folder: path.slice(0, Math.max(at, 0)), name: path.slice(at + 1) };
}

/** The batch that a picture was sent in, or null if it came another way. */
export function batchOf(image) {
  const parts = image.split("/");
  return parts[0] === "web" && parts.length > 2 ? parts[1] : null;
}

export const isTry = (image) => image.startsWith("web/try-");
