// The measure of all others: an empty JavaScript worker.
import { readFileSync } from "node:fs";
import { get } from "../requests.mjs";
import { serve } from "../workerd.mjs";

const modules = [["main.js", readFileSync(new URL("empty.js", import.meta.url))]];

export const empty = {
  id: "empty",
  name: "empty JavaScript worker",
  start: (place) => serve({ modules }, { ...place, path: "/" }),
  requests: [get("/")],
};
