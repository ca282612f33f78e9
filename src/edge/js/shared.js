// What the entry and the module's own part share.

const encoder = new TextEncoder();
const scratch = new Uint8Array(64 * 1024);

/**
 * The bytes of a text on its way into the module, whose own glue looks at every character, which costs more than all the rest. They are good
 * until the next text: whoever gets them copies them at once.
 */
export function utf8(text) {
  return text.length * 3 <= scratch.length ? scratch.subarray(0, encoder.encodeInto(text, scratch).written) : encoder.encode(text);
}

/** Adds names and values in turn, one a line. */
export function add(headers, lines) {
  const parts = lines.split("\n");
  for (let at = 0; at + 1 < parts.length; at += 2) headers.append(parts[at], parts[at + 1]);
  return headers;
}

/** So much is remembered under names of one kind. */
const MOST = 64;

/** Puts a value into a map that has no end otherwise; what was put there least lately goes first. */
export function remember(map, name, value) {
  map.delete(name);
  if (map.size >= MOST) map.delete(map.keys().next().value);
  map.set(name, value);
}
