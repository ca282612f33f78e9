// The floor: the platform's part of each path, without any service around it.
import { readFileSync } from "node:fs";
import { collect } from "../load.mjs";
import { bearer, form, get, json, times } from "../requests.mjs";
import { serve } from "../workerd.mjs";

const modules = [["main.js", readFileSync(new URL("bare.js", import.meta.url))]];
const TOKEN = "x".repeat(700);

export const bare = {
  id: "bare",
  name: "bare JavaScript, same platform calls",
  start: (place) => serve({ modules, classes: { CELL: "Cell" } }, { ...place, path: "/" }),

  paths: ["register-id-jag", "claim-poll", "device-poll", "token-assertion", "token-key", "introspect-first", "introspect-seen", "bearer-first", "bearer-seen"],

  async measures({ port }) {
    /** Its objects are there, and in memory, as those of the service are. */
    const awake = (count, request) => async () => {
      await collect(port, times(count, () => request));
      return [request];
    };
    return {
      "register-id-jag": { prepare: awake(256, json("/vouched", { assertion: TOKEN })) },
      "claim-poll": { prepare: awake(1024, form("/poll", { claim_token: TOKEN })) },
      "device-poll": { prepare: awake(1024, form("/poll", { device_code: TOKEN })) },
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
  paths: ["register", "register-v01"],
  measures: async () => ({
    register: { requests: [json("/register", { type: "anonymous" })] },
    "register-v01": { requests: [json("/register-key", { type: "anonymous" })] },
  }),
};
