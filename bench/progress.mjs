// One line that says what is going on and how long it will take; where output is no terminal, a line a round.
import { PATHS } from "./paths.mjs";

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

export function progress({ rounds, paths }) {
  const live = process.stdout.isTTY;
  const began = Date.now();
  const elapsed = () => (Date.now() - began) / 1000;
  let first = null;
  let last = "";
  const show = (text, what = text) => {
    if (live) process.stdout.write(`\r\x1b[K${minutes(elapsed())}  ${text}`);
    else if (what !== last) console.log(`${minutes(elapsed())}  ${text}`);
    last = what;
  };
  return {
    say: (text) => show(text),
    round(round, path, target) {
      first ??= elapsed();
      const done = (round * paths.length + paths.indexOf(path)) / ((rounds + 1) * paths.length);
      const left = done > 0.05 ? `, about ${minutes(((elapsed() - first) / done) * (1 - done))} left` : "";
      const where = round === 0 ? "warm-up" : `round ${round} of ${rounds}`;
      show(live ? `${where}: ${PATHS[path].title}, ${target}${left}` : `${where}${left}`, live ? "" : where);
    },
    end: () => live && process.stdout.write("\r\x1b[K"),
  };
}
