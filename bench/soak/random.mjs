// Chance that repeats itself: the same seed, the same choices.

/** Numbers from 0 to 1, 1 excluded, from a seed of 32 bits (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of a list, or undefined if it is empty. */
export const pick = (list, chance) => list[Math.floor(chance() * list.length)];

/** One of pairs of a value and its weight. */
export function weighted(pairs) {
  const sum = pairs.reduce((total, [, weight]) => total + weight, 0);
  return (chance) => {
    let left = chance() * sum;
    return (pairs.find(([, weight]) => (left -= weight) < 0) ?? pairs[0])[0];
  };
}
