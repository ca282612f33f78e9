// Whether the memory of workerd is flat: resident size once a second, compared at equal age of its processes, and within the longest one.
import { readdirSync } from "node:fs";
import { memory } from "../servers.mjs";
import { median as middle } from "../statistics.mjs";

/** Flat is no more than so many times what it was, and so many MiB more, which is what the collector of garbage does. */
const TIMES = 1.15;
const MEBIBYTES = 24;
/** A shorter life tells nothing of memory: compiled code and heap are still growing to what the load needs. */
const LONG_ENOUGH = 30;

export const RULE = `flat is: at equal age (the last fifth of the shortest life) the last process has at most ${TIMES} times the median of those before and ${MEBIBYTES} MiB; and so has the last fifth of the last life, to its second fifth`;

/** Samples of the process that is there, until it is stopped. */
export function sampling(server, paced) {
  const samples = [];
  const timer = setInterval(() => {
    if (server.away) return;
    try {
      samples.push({ life: server.life, age: (performance.now() - server.began) / 1000, mib: memory(server.pid), files: readdirSync(`/proc/${server.pid}/fd`).length, paced: paced() });
    } catch {
      // It has just ended.
    }
  }, 1000);
  return { samples, stop: () => clearInterval(timer) };
}

const median = (values) => (values.length ? middle(values) : null);
const between = (samples, from, to) => samples.filter(({ age }) => age >= from && age <= to).map(({ mib }) => mib);

/** The verdict on the lives that had traffic at the rate: a list of them, and `flat`, which is null where they are too short to tell. */
export function judge(samples) {
  const paced = samples.filter(({ paced }) => paced);
  const lives = [...new Set(paced.map(({ life }) => life))].map((life) => paced.filter((sample) => sample.life === life));
  const lasts = (life) => life.at(-1).age;
  const shortest = Math.min(...lives.map(lasts));
  const ends = lives.map((life) => ({ life: life[0].life, seconds: lasts(life), at_equal_age: median(between(life, shortest * 0.8, shortest)), end: median(between(life, lasts(life) * 0.8, lasts(life))), peak: Math.max(...life.map(({ mib }) => mib)), files: Math.max(...life.map(({ files }) => files)) }));
  if (lives.length < 2 || shortest < LONG_ENOUGH) return { rule: RULE, lives: ends, flat: null };
  const within = (now, then) => now <= then * TIMES + MEBIBYTES;
  const last = lives.at(-1);
  const early = median(between(last, lasts(last) * 0.2, lasts(last) * 0.4));
  const before = median(ends.slice(0, -1).map(({ at_equal_age }) => at_equal_age));
  return { rule: RULE, lives: ends, before, early, flat: within(ends.at(-1).at_equal_age, before) && within(ends.at(-1).end, early) };
}
