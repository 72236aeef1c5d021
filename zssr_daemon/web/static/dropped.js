// Files that were chosen or dropped, each with its folder below what was dropped.

/** What an input of files holds, as `{file, folder}`. */
export function fromInput(input) {
  return [...input.files].map((file) => {
    const path = file.webkitRelativePath || file.name;
    return { file, folder: path.slice(0, Math.max(path.lastIndexOf("/"), 0)) };
  });
}

/** What a drop holds, as `{file, folder}`, folders walked to their ends. */
export async function fromDrop(transfer) {
  // The entries must be taken before the first wait: the browser empties the transfer then.
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const entry of entries) await collect(entry, "", found);
  return found;
}

async function collect(entry, folder, found) {
  if (entry === null) return;
  if (entry instanceof File) {
    found.push({ file: entry, folder });
  } else if (entry.isFile) {
    found.push({ file: await new Promise((ok, bad) => entry.file(ok, bad)), folder });
  } else {
    const below = folder === "" ? entry.name : `${folder}/${entry.name}`;
    for (const child of await childrenOf(entry)) await collect(child, below, found);
  }
}

/** All entries of a folder; the browser hands them out a hundred at a time. */
async function childrenOf(directory) {
  const reader = directory.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((ok, bad) => reader.readEntries(ok, bad));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** Files that systems put into folders by themselves, and that nobody means to send. */
export const isHidden = ({ file }) => file.name.startsWith(".") || file.name === "Thumbs.db";
