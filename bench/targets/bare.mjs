// The floor: the platform's part of each path, without any service around it.
import { readFileSync } from "node:fs";
import { bearer, form, get, json } from "../requests.mjs";
import { serve } from "../workerd.mjs";

const modules = [["main.js", readFileSync(new URL("bare.js", import.meta.url))]];
const TOKEN = "x".repeat(700);

export const bare = {
  id: "bare",
  name: "bare JavaScript, same platform calls",
  start: (place) => serve({ modules, cell: { binding: "CELL", className: "Cell" } }, { ...place, path: "/" }),

  async measures() {
    return {
      "token-assertion": { requests: [form("/verified-token", { assertion: TOKEN })] },
      "token-key": { requests: [form("/token", { client_secret: TOKEN })] },
      "introspect-first": { requests: [form("/check", { token: TOKEN })] },
      "introspect-seen": { requests: [form("/again", { token: TOKEN })] },
      "bearer-first": { requests: [get("/check", bearer(TOKEN))] },
      "bearer-seen": { requests: [get("/again", bearer(TOKEN))] },
    };
  },
};

/** In a process of its own, as with the service itself. */
export const bareArrivals = {
  ...bare,
  part: "arrivals",
  measures: async () => ({ register: { requests: [json("/register", { type: "anonymous" })] } }),
};
