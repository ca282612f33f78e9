/** Under this name stands the empty worker itself. */
export const BASELINE = "baseline";

// What is measured. `aim` is our own budget: CPU per request, as a multiple of the empty worker's in the same run;
// where there is none, none was set.
// `like` is the path whose figure holds here too for a peer that looks everything up every time.
export const PATHS = {
  discovery: { title: "discovery document", aim: 1.1 },
  jwks: { title: "JWKS", aim: 1.1 },
  "auth-md": { title: "auth.md", aim: 1.1 },
  register: { title: "registration", aim: 4.5 },
  "register-v01": { title: "registration, auth.md v0.1", aim: 4.5 },
  "register-id-jag": { title: "registration by ID-JAG" },
  "claim-poll": { title: "claim poll, unconfirmed" },
  "token-assertion": { title: "token by assertion", aim: 4 },
  "register-client": { title: "client registration (DCR)" },
  "token-code": { title: "code exchange" },
  "token-refresh": { title: "refresh", aim: 5.5 },
  "token-key": { title: "token by API key", aim: 4 },
  "device-poll": { title: "device poll, unanswered" },
  "introspect-first": { title: "introspection, first time", aim: 2.8 },
  "introspect-seen": { title: "introspection, seen before", aim: 1.6, like: "introspect-first" },
  "bearer-first": { title: "bearer check, first time", aim: 2.8 },
  "bearer-seen": { title: "bearer check, repeated", aim: 1.4, like: "bearer-first" },
  quickstart: { title: "quickstart" },
  "check-permission": { title: "check_permission" },
  "mcp-whoami": { title: "MCP tools/call whoami" },
  "list-agents": { title: "100 agents of 10,000" },
};

/** The paths that these names mean: each is a path, or what some paths begin with. Null if one is neither. */
export function chosen(names) {
  const found = names.map((name) => Object.keys(PATHS).filter((path) => path.startsWith(name)));
  return found.every((some) => some.length) ? Object.keys(PATHS).filter((path) => found.flat().includes(path)) : null;
}
