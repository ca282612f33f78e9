// An agent of auth.md 0.7 (and 0.6): it finds everything from a 401, shows its person a code and a link, and polls until they have
// typed the code. It waits as it is told to, and longer when it is told to slow down.
import assert from "node:assert/strict";
import { CLAIM } from "./claim.mjs";
import { JWT_BEARER, sleep } from "./agent.mjs";
import { read } from "./answers.mjs";
import { address } from "./postern.mjs";

/** How each version asks for an attempt. */
const ASK = {
  0.7: (claim_token, login_hint) => ({ type: "login_hint", claim_token, login_hint }),
  0.6: (claim_token, email) => ({ claim_token, email }),
};

export class Poller {
  constructor(api, { version = "0.7", ip = address() } = {}) {
    Object.assign(this, { api, ip, version, shown: [], waited: [], answers: [], identity: null, token: null });
  }

  get(url) {
    return read(fetch(url, { headers: { "cf-connecting-ip": this.ip } }));
  }

  json(url, body) {
    return read(fetch(url, { method: "POST", headers: { "content-type": "application/json", "cf-connecting-ip": this.ip }, body: JSON.stringify(body) }));
  }

  form(url, fields) {
    return read(fetch(url, { method: "POST", headers: { "cf-connecting-ip": this.ip }, body: new URLSearchParams(fields) }));
  }

  /** From the challenge of the API to the server's metadata. */
  async discover() {
    const challenge = await this.get(this.api);
    assert.equal(challenge.status, 401);
    const where = /^Bearer .*resource_metadata="([^"]+)"/.exec(challenge.headers.get("www-authenticate"))[1];
    const { body: resource } = await this.get(where);
    const { body: server } = await this.get(`${resource.authorization_servers[0].replace(/\/$/, "")}/.well-known/oauth-authorization-server`);
    for (const name of ["identity_endpoint", "claim_endpoint", "skill"]) assert.equal(typeof server.agent_auth[name], "string", name);
    assert.ok(server.grant_types_supported.includes(CLAIM) && server.grant_types_supported.includes(JWT_BEARER));
    Object.assign(this, { resource, server, token_endpoint: server.token_endpoint, ...server.agent_auth });
    return this;
  }

  /** `fields` as auth.md has them: type, and what goes with it. */
  async register(fields) {
    const { status, body, text } = await this.json(this.identity_endpoint, fields);
    assert.ok(status === 200 || (status === 401 && body.error === "interaction_required"), text);
    for (const name of ["registration_id", "registration_type"]) assert.equal(typeof body[name], "string", name);
    Object.assign(this, { id: body.registration_id, claim_token: body.claim_token, identity: body.identity_assertion ?? null });
    if (body.claim?.user_code) this.show(body.claim);
    return body;
  }

  /** Starts an attempt, or a new one: both kinds of answer name the same four things. */
  async start(login_hint) {
    const { status, body, text } = await this.json(this.claim_endpoint, ASK[this.version](this.claim_token, login_hint));
    assert.equal(status, 200, text);
    assert.deepEqual([body.registration_id, body.status], [this.id, "initiated"]);
    assert.ok(Date.parse(body.expires_at) > Date.now());
    this.show(body.claim_attempt);
    return body;
  }

  /** What its person gets to see. The link must not carry the code. */
  show({ user_code, expires_in, verification_uri, interval }) {
    assert.match(user_code, /^\d{6}$/);
    assert.ok(expires_in > 0 && expires_in <= 600 && interval >= 1);
    assert.ok(!verification_uri.includes(user_code));
    this.interval = interval;
    this.shown.push({ user_code, verification_uri });
  }

  get attempt() {
    return this.shown.at(-1);
  }

  /** One poll, and what it means for the next. */
  async ask() {
    const { status, body, text, headers } = await this.form(this.token_endpoint, { grant_type: CLAIM, claim_token: this.claim_token });
    assert.equal(headers.get("cache-control"), "no-store");
    this.answers.push(body.error ?? "ready");
    if (status === 200) {
      assert.deepEqual([body.token_type, typeof body.expires_in, typeof body.access_token], ["Bearer", "number", "string"]);
      Object.assign(this, { identity: body.identity_assertion, token: body.access_token, scope: body.scope });
      return "ready";
    }
    assert.equal(status, 400, text);
    if (body.error === "slow_down") this.interval += 5;
    return body.error;
  }

  async wait() {
    this.waited.push(this.interval);
    await sleep(this.interval * 1000 + 100);
  }

  /** Polls until there is something else to do than to wait; so often at most. */
  async poll(most = 10) {
    for (let time = 0; time < most; time += 1) {
      const said = await this.ask();
      if (!["authorization_pending", "slow_down"].includes(said)) return said;
      await this.wait();
    }
    return "authorization_pending";
  }

  /** The assertion goes for another token. */
  async exchange(extra = {}) {
    const answer = await this.form(this.token_endpoint, { grant_type: JWT_BEARER, assertion: this.identity, ...extra });
    if (answer.status === 200) this.token = answer.body.access_token;
    return answer;
  }

  async call() {
    return (await read(fetch(this.api, { headers: { authorization: `Bearer ${this.token}` } }))).status;
  }
}
