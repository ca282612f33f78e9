// An agent that speaks the AuthKit dialect of auth.md, as strict as the strictest client of it: it follows what the answers say, builds
// no address of its own but the two that the dialect builds, and throws at whatever such a client could not work with.
import { fileURLToPath } from "node:url";
import { JWT_BEARER } from "./agent.mjs";
import { address } from "./postern.mjs";

export const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
/** What lives no longer than this counts as dead. */
const SLACK = 30_000;

export class AuthKitError extends Error {
  constructor(code, status, body) {
    super(`${code} (${status}): ${body?.message ?? body?.error_description ?? body}`);
    Object.assign(this, { code, status, body, said: body?.message ?? body?.error_description });
  }
}

const isLive = (date) => new Date(date).getTime() - SLACK > Date.now();
const isDate = (date) => typeof date === "string" && Number.isFinite(Date.parse(date));

/** `kept` is what survives the process: the record of the registration, or null. `send` takes the place of fetch. */
export class AuthKit {
  constructor(issuer, { ip = address(), kept = null, send = fetch } = {}) {
    Object.assign(this, { base: issuer.replace(/\/+$/, ""), ip, kept, send, pending: null, known: null });
  }

  async request(url, init) {
    const response = await this.send(url, { ...init, headers: { "cf-connecting-ip": this.ip, "user-agent": "node", accept: "*/*", ...init?.headers } });
    const text = await response.text();
    try {
      return { ok: response.ok, status: response.status, headers: response.headers, body: JSON.parse(text) };
    } catch {
      throw new AuthKitError("invalid_response", response.status, text.slice(0, 200));
    }
  }

  /** An answer that must be good. */
  async must(url, init) {
    const { ok, status, body } = await this.request(url, init);
    if (!ok) throw new AuthKitError(body.error ?? "unknown_error", status, body);
    return body;
  }

  json(fields) {
    return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(fields) };
  }

  /** The well-known path is appended, whatever the issuer's own path is. */
  async metadata() {
    if (this.known) return this.known;
    const { ok, status, body } = await this.request(`${this.base}/.well-known/oauth-authorization-server`);
    if (!ok) throw new AuthKitError("discovery_failed", status, body);
    if (!body.agent_auth?.identity_endpoint) throw new AuthKitError("agent_auth_unsupported", status, body);
    if (!Array.isArray(body.agent_auth.identity_types_supported)) throw new TypeError("identity_types_supported is not a list");
    return (this.known = body);
  }

  /** The cheapest way to a token: the one at hand, the assertion, the refresh token, and only then a new registration. */
  async authenticate({ email, resource, idJag, anew = false } = {}) {
    if (email && !idJag && this.pending && this.kept?.type === "anonymous" && !this.kept.claimed) return this.upgrade(email);
    return (anew ? null : await this.reuse(resource)) ?? this.register({ email, resource, idJag, anew });
  }

  async reuse(resource) {
    const { token, identity } = this.kept ?? {};
    if (token && isLive(token.expires_at) && token.resource === resource) return { status: "ready", id: this.kept.id, claimed: this.kept.claimed, ...token };
    if (identity && isLive(identity.expires_at)) return this.exchange(resource);
    if (identity?.refresh_token && isLive(identity.refresh_token.expires_at)) {
      const { identity_endpoint } = (await this.metadata()).agent_auth;
      const { ok, body } = await this.request(identity_endpoint, this.json({ type: "refresh", refresh_token: identity.refresh_token.value }));
      if (ok && body.identity) {
        this.kept = { ...this.kept, identity: this.identity(body), token: null };
        return this.exchange(resource);
      }
    }
    return null;
  }

  async register({ email, resource, idJag, anew }) {
    const { agent_auth } = await this.metadata();
    const types = agent_auth.identity_types_supported;
    if (!email && !idJag && !anew && this.kept && (this.kept.type !== "anonymous" || this.kept.claimed)) throw new AuthKitError("reauthentication_required", 401, "all that was kept is dead");
    const fields = this.asked({ email, idJag }, types, agent_auth);
    const { ok, status, body } = await this.request(agent_auth.identity_endpoint, this.json(fields));
    const isStepUp = status === 401 && body.error === "interaction_required";
    if (!ok && !isStepUp) throw new AuthKitError(body.error ?? "unknown_error", status, body);
    if (isStepUp || fields.type === "service_auth") return this.waiting(body, fields.type, true);
    this.kept = { id: body.id, type: fields.type, claimed: fields.type === "identity_assertion", identity: this.identity(body), token: null };
    if (body.claim) this.waiting(body, fields.type, false);
    return this.exchange(resource);
  }

  asked({ email, idJag }, types, { identity_assertion }) {
    if (idJag) {
      const takes = types.includes("identity_assertion") && (identity_assertion?.assertion_types_supported ?? []).includes(ID_JAG);
      if (!takes) throw new AuthKitError("unsupported_identity_type", 400, "no ID-JAG");
      return { type: "identity_assertion", assertion_type: ID_JAG, assertion: idJag };
    }
    if (email && types.includes("service_auth")) return { type: "service_auth", login_hint: email };
    if (types.includes("anonymous")) return { type: "anonymous" };
    throw new AuthKitError("no_applicable_method", 400, types.join());
  }

  /** What a completed or open registration is exchanged with: dates that cannot be read make it useless. */
  identity(body) {
    const { assertion, expires_at, refresh_token } = body.identity ?? {};
    const isGood = typeof body.id === "string" && typeof assertion === "string" && isDate(expires_at) && (!refresh_token || (typeof refresh_token.value === "string" && isDate(refresh_token.expires_at)));
    if (!isGood) throw new AuthKitError("unexpected_response", 200, JSON.stringify(body));
    return body.identity;
  }

  /** Keeps the claim in memory alone. */
  waiting(body, type, hasAttempt) {
    const { token, url, expires_at, attempt } = body.claim ?? {};
    const isGood = typeof body.id === "string" && typeof token === "string" && typeof url === "string" && isDate(expires_at) && (!hasAttempt || this.isAttempt(attempt));
    if (!isGood) throw new AuthKitError("unexpected_response", 200, JSON.stringify(body));
    this.pending = { id: body.id, type, token, url };
    return hasAttempt ? { status: "claim_required", id: body.id, ...attempt } : null;
  }

  isAttempt(attempt) {
    return typeof attempt?.verification_uri === "string" && isDate(attempt.expires_at);
  }

  /** Starts an attempt, or a new one, at the address that the registration's answer named. */
  async upgrade(email) {
    const body = await this.must(this.pending.url, this.json({ type: "service_auth", claim_token: this.pending.token, login_hint: email }));
    if (!this.isAttempt(body.attempt)) throw new AuthKitError("unexpected_response", 200, JSON.stringify(body));
    return { status: "claim_required", id: this.pending.id, ...body.attempt };
  }

  /** Submits the code that the person has read out. After an error the claim is still pending. */
  async completeClaim(user_code, resource) {
    if (!this.pending) throw new AuthKitError("no_pending_claim", 400, "nothing to complete");
    const { claim_endpoint } = (await this.metadata()).agent_auth;
    const body = await this.must(`${claim_endpoint}/complete`, this.json({ claim_token: this.pending.token, user_code }));
    this.kept = { id: body.id, type: this.pending.type, claimed: true, identity: this.identity(body), token: null };
    this.pending = null;
    return this.exchange(resource);
  }

  async exchange(resource) {
    const { token_endpoint } = await this.metadata();
    const form = new URLSearchParams({ grant_type: JWT_BEARER, assertion: this.kept.identity.assertion, ...(resource ? { resource } : {}) });
    const { access_token, token_type, expires_in, scope } = await this.must(token_endpoint, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: form.toString() });
    if (typeof expires_in !== "number") throw new RangeError("expires_in is not a number");
    const token = { access_token, token_type, expires_at: new Date(Date.now() + expires_in * 1000).toISOString(), scope, resource };
    this.kept = { ...this.kept, token };
    return { status: "ready", id: this.kept.id, claimed: this.kept.claimed, ...token };
  }

  /** Calls an API. After a 401 with the token at hand it tries once more with a new one. */
  async fetch(url, { resource, ...init } = {}) {
    const ready = async () => {
      const answer = await this.authenticate({ resource });
      if (answer.status !== "ready") throw new AuthKitError("claim_required", 401, answer.verification_uri);
      return this.request(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${answer.access_token}` } });
    };
    const first = await ready();
    if (first.status !== 401) return first;
    this.kept = { ...this.kept, token: null };
    return ready();
  }
}

// As a process of its own: takes what was kept, discovers, and authenticates when it is told to.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let client;
  process.on("message", async ({ issuer, kept, go }) => {
    if (issuer) {
      client = new AuthKit(issuer, { kept });
      await client.metadata();
      return process.send("ready");
    }
    if (go) {
      const answer = await client.authenticate().catch(({ code, message }) => ({ status: code, message }));
      process.send({ answer, kept: client.kept }, () => process.disconnect());
    }
  });
}
