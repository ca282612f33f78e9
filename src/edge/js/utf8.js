// Text on its way into the module, as bytes: the module's own glue looks at every character of a text, which costs more than all the rest.

const encoder = new TextEncoder();
const scratch = new Uint8Array(64 * 1024);

/** The bytes of a text. They are good until the next text: whoever gets them copies them at once. */
export function utf8(text) {
  return text.length * 3 <= scratch.length ? scratch.subarray(0, encoder.encodeInto(text, scratch).written) : encoder.encode(text);
}
