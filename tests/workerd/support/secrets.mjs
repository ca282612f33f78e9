// Secrets of the form `<prefix>_<address>_<key><checksum>`, taken apart and put together without the deployment's secret.
import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const width = (bytes) => Math.ceil((bytes * 134_360) / 100_000);

export function base62(bytes) {
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let digits = "";
  for (let digit = 0; digit < width(bytes.length); digit += 1) {
    digits = DIGITS[Number(number % 62n)] + digits;
    number /= 62n;
  }
  return digits;
}

export function bytes(text, length) {
  const number = [...text].reduce((number, digit) => number * 62n + BigInt(DIGITS.indexOf(digit)), 0n);
  return Buffer.from(number.toString(16).padStart(length * 2, "0"), "hex");
}

/** What a secret says: all that stands before its key, and the 32 bytes of the key. */
export function parts(secret) {
  const cut = secret.lastIndexOf("_") + 1;
  return { address: secret.slice(0, cut), key: bytes(secret.slice(cut, cut + width(32)), 32) };
}

/** A secret with any address and key whose checksum is right. */
export function joined(address, key) {
  const body = address + base62(key);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return body + base62(sum);
}
