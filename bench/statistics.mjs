/** The middle one. */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** As many as a measurement deserves. */
export const digits = (value) => Number(value.toPrecision(4));

/** Median, least and most, as precise as they are. */
export const spread = (values) => ({ median: digits(median(values)), min: digits(Math.min(...values)), max: digits(Math.max(...values)) });
