// What people choose or drop: folders walked entry by entry, and files told apart by their names before a byte is read.
const HIDDEN = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i;
const TAKEN = /\.(jpe?g|jpe|jfif|png|webp|hei[cf]|hif)$/i;
const KINDS = {
  raw: /\.(3fr|ari|arw|bay|braw|cap|cr2|cr3|crw|dcr|dcs|dng|drf|eip|erf|fff|gpr|iiq|k25|kdc|mdc|mef|mos|mrw|nef|nrw|orf|ori|pef|ptx|pxn|r3d|raf|raw|rw2|rwl|rwz|sr2|srf|srw|x3f)$/i,
  video: /\.(3g2|3gp|asf|avi|flv|insv|lrv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|vob|webm|wmv)$/i,
  picture: /\.(ai|avif|bmp|eps|gif|ico|jp2|jxl|psb|psd|svg|tga|tiff?|xcf)$/i,
};

export const isHidden = (path) => HIDDEN.test(path);

// Why a file is not even sent, by its name: "raw", "video", "picture" (one of another format), "other"; or null.
export const refusal = (file) => {
  for (const [kind, names] of Object.entries(KINDS)) if (names.test(file.name)) return kind;
  if (!TAKEN.test(file.name)) {
    if (/^video\//.test(file.type)) return "video";
    if (/^image\//.test(file.type) ? !/jpeg|png|webp|hei[cf]/.test(file.type) : file.type) return "other";
    if (/\.[^.]+$/.test(file.name) && !file.type) return "other";
  }
  return null;
};

// The same by its size: "empty", "large"; or null. Chromium looks at the disk for it, 0.2 ms a file [measured], so it
// is not asked of thousands at once. A file that is gone has no size either: only reading tells it from an empty one.
export const sizeRefusal = async (file, mostBytes) => {
  if (file.size > mostBytes) return "large";
  if (file.size) return null;
  return file.arrayBuffer().then(() => "empty", () => null);
};

const read = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
const readSome = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

// Files of a dropped folder, some at a time as a browser hands out entries, so that thousands are never one long task.
// What cannot be read is told of with `file: null`.
export async function* walk(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    yield [{ path, file: await read(entry).catch(() => null) }];
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const entries = await readSome(reader).catch(() => null);
    if (!entries) yield [{ path: `${path}/`, file: null }];
    if (!entries?.length) return;
    const files = entries.filter((each) => each.isFile);
    yield Promise.all(
      files.map(async (each) => ({ path: each.fullPath.replace(/^\//, ""), file: await read(each).catch(() => null) })),
    );
    for (const each of entries) if (each.isDirectory) yield* walk(each);
  }
}
