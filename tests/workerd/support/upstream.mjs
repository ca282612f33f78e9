// A real OpenID Connect provider of people on loopback (oidc-provider), and a browser's way through it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import Provider from "oidc-provider";
import { forms } from "./person.mjs";
import { deploy, freePort } from "./postern.mjs";
import { makeKey } from "./provider.mjs";

/** With everything in it that a header has to be told. */
export const SECRET = "a secret: with %, + and &";

/** What a provider says of whoever signs in as `login`, unless `people` says otherwise. */
const described = (login) => ({ email: `${login}@example.com`, email_verified: true, name: `${login} of the test`, picture: "https://pictures.example.com/a.png" });

/** Starts providers by name, each with its own client, and a deployment that knows them. `alg` is what ID tokens are signed with. */
export async function federation(wanted = { "Example ID": {} }, { vars = {}, ...more } = {}) {
  const providers = {};
  for (const [name, { client = {}, configuration = {}, alg = "RS256", entry = {} }] of Object.entries(wanted)) {
    // Another site than Postern, which is at localhost: cookies have to survive the way there and back.
    const issuer = `http://127.0.0.1:${await freePort()}`;
    providers[name] = { name, issuer, people: {}, alg, client: { client_id: "postern", ...client }, configuration, entry };
  }
  const all = Object.values(providers);
  const postern = await deploy({
    vars: {
      UPSTREAM_PROVIDERS: JSON.stringify(all.map(({ issuer, name, client, entry }) => ({ issuer, name, client_id: client.client_id, ...entry }))),
      UPSTREAM_SECRETS: JSON.stringify(Object.fromEntries(all.filter(({ client }) => client.token_endpoint_auth_method !== "none").map(({ name }) => [name, SECRET]))),
      ...vars,
    },
    ...more,
  });
  await Promise.all(all.map((provider) => start(provider, postern)));
  const stop = () => Promise.all([postern.stop(), ...all.map((provider) => provider.stop())]);
  return { postern, providers, stop };
}

async function start(provider, postern) {
  const { issuer, alg, client, configuration } = provider;
  const key = makeKey(alg);
  const metadata = { client_secret: SECRET, redirect_uris: [`${postern.issuer}/login/upstream/callback`], grant_types: ["authorization_code"], response_types: ["code"], id_token_signed_response_alg: alg, ...client };
  if (client.token_endpoint_auth_method === "none") delete metadata.client_secret;
  const server = new Provider(issuer, {
    clients: [metadata],
    jwks: { keys: [{ ...key.privateKey.export({ format: "jwk" }), kid: key.kid, use: "sig", alg }] },
    cookies: { keys: ["only-for-tests"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"] },
    pkce: { required: () => true },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256", "ES384", "EdDSA"] },
    findAccount: (_context, login) => ({ accountId: login, claims: () => ({ sub: login, ...described(login), ...provider.people[login] }) }),
    ...configuration,
  });
  const asked = [];
  const answer = server.callback();
  const http = createServer((request, response) => {
    asked.push(`${request.method} ${request.url.split("?")[0]}`);
    // `broken` is a path that fails.
    if (request.url === provider.broken) response.writeHead(500).end();
    else answer(request, response);
  });
  await new Promise((resolve) => http.listen(Number(new URL(issuer).port), "127.0.0.1", resolve));
  const stop = () => new Promise((resolve) => (http.close(resolve), http.closeAllConnections()));
  Object.assign(provider, { asked, stop });
}

/** Where the page that is open sends the browser by itself. */
export function onwards(browser) {
  assert.equal(browser.status, 200, browser.html);
  const [, url] = /^0;url=(.+)$/.exec(browser.headers.get("refresh")) ?? [];
  assert.ok(url, `no way on: ${browser.html}`);
  return url;
}

/** Presses the provider's button on the page that is open; says where that leads. */
export async function press(browser, provider, more = {}) {
  const index = (forms(browser.html)["/login/upstream"] ?? []).findIndex((form) => form.provider === provider.issuer && !("link" in form) === !("link" in more));
  await browser.submit("/login/upstream", more, { index });
  return onwards(browser);
}

/** Goes through a provider as `login`, in a browser that knows nobody there; says with what it sends the browser back. Without a login nobody agrees. */
export async function through(url, login) {
  const cookies = new Map();
  const send = async (to, init = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(new URL(to, url), { ...init, headers: { cookie, ...init.headers }, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(";");
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    return { status: response.status, location: response.headers.get("location"), html: await response.text() };
  };
  let answer = await send(url);
  for (let step = 0; step < 12; step += 1) {
    if (answer.location?.includes("/login/upstream/callback?")) return answer.location;
    if (answer.location) {
      answer = await send(answer.location);
      continue;
    }
    const action = /<form[^>]*action="([^"]+)"/.exec(answer.html)?.[1];
    assert.ok(action, `the provider says ${answer.status}: ${answer.html}`);
    if (!login) {
      answer = await send(`${action}/abort`);
      continue;
    }
    const prompt = /name="prompt" value="([^"]+)"/.exec(answer.html)[1];
    const body = new URLSearchParams({ prompt, login, password: "x" });
    answer = await send(action, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body });
  }
  return assert.fail("the provider never sends the browser back");
}

/** Comes back as a browser does that another site sends: a navigation from there. */
export const comeBack = (browser, callback) => browser.send(callback, { headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" } });

/** The whole way from the sign-in page; the browser is where Postern has sent it. */
export async function signInWith(browser, provider, login, path = "/login") {
  await browser.open(path);
  await comeBack(browser, await through(await press(browser, provider), login));
  return browser;
}
