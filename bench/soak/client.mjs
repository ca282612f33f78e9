// A patient client: what breaks off because workerd is away is sent again, the same bytes with the same Idempotency-Key, until there is
// an answer. It judges every answer: a status that is not right for the request fails the run, unless it is a clean 429 or 503.
import { Agent, request } from "node:http";
import { HOST } from "../requests.mjs";

/** Without an answer for so many milliseconds, restarts included, a request has failed. */
const PATIENCE = 120_000;
/** One attempt may take so long. */
const ATTEMPT = 60_000;
const LONGEST_WAIT = 5000;
/** Shorter than workerd keeps a connection that nobody uses. */
const IDLE = 3000;
/** What an error never shows: where in a program it happened. */
const INSIDES = /\bat \S+ ?\(|:\d+:\d+\)|panicked|\.rs\b|wasm|\bstack\b/i;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A step of the run that is not right; it has been noted already. */
export class Failed extends Error {}

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

/** What is wrong with an error as an error, whatever it says; null if nothing is. */
export function unclean({ status, headers, json, text }) {
  if (INSIDES.test(text)) return "shows its insides";
  if (!/json/.test(headers["content-type"] ?? "") || typeof json?.error !== "string") return "is no JSON error";
  if (![429, 503].includes(status)) return status >= 500 ? "is a fault of the server" : null;
  return Number(headers["retry-after"]) > 0 ? null : "has no Retry-After";
}

export function client(server, tally) {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, scheduling: "lifo", timeout: IDLE });

  const once = ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port: server.port, agent, method, path, headers: { Host: HOST, ...headers, ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }) } });
      const late = setTimeout(() => asked.destroy(new Error("no answer in time")), ATTEMPT);
      const broken = (error) => {
        clearTimeout(late);
        reject(Object.assign(error, { stale: asked.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code) }));
      };
      asked.on("error", broken);
      asked.on("response", (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk)).on("error", broken);
        response.on("end", () => {
          clearTimeout(late);
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode, headers: response.headers, text, json: parsed(text) });
        });
      });
      asked.end(body);
    });

  /** Sends until there is an answer. `unsure` says that an earlier attempt may have been carried out. */
  async function answered(what, order) {
    const until = performance.now() + PATIENCE;
    for (let attempt = 1, stale = 0, unsure = false; ; attempt += 1) {
      await server.up;
      const [life, sent] = [server.life, performance.now()];
      try {
        const answer = await once(order);
        if (attempt === 1) tally.took(performance.now() - sent);
        tally.answer(what, answer.status);
        if (answer.status !== 503 || unclean(answer) || performance.now() > until) return { ...answer, unsure };
        unsure = true;
        await sleep(Math.min(Number(answer.headers["retry-after"]) * 1000, LONGEST_WAIT));
      } catch (error) {
        const interrupted = server.life !== life || server.away;
        if (interrupted) tally.interrupted += 1;
        else if (error.stale && stale < 2) tally.stale += stale += 1;
        else throw tally.fail("broken off", what, `${error.code ?? error.message} while workerd was up`);
        if (performance.now() > until) throw tally.fail("no answer", what, `none in ${PATIENCE} ms`);
        unsure ||= error.code !== "ECONNREFUSED";
      }
    }
  }

  /**
   * Sends a request and gives its answer, whose status is one of `expect`; null if a limit has refused it (429). Anything else is noted
   * as a failure and thrown.
   */
  async function send(what, order, ...expect) {
    const answer = await answered(what, order);
    const fault = answer.status >= 400 ? unclean(answer) : null;
    if (fault) throw tally.fail("unclean error", what, `${answer.status} ${fault}: ${answer.text.slice(0, 400)}`);
    if (expect.includes(answer.status)) return answer;
    if (answer.status === 429) return null;
    throw tally.fail("wrong status", what, `${answer.status} and not ${expect.join(" or ")}: ${answer.text.slice(0, 400)}`);
  }

  return { send, close: () => agent.destroy() };
}

const JSON_TYPE = { "Content-Type": "application/json" };
const FORM_TYPE = { "Content-Type": "application/x-www-form-urlencoded" };

export const get = (path, headers = {}) => ({ method: "GET", path, headers });
export const json = (path, value, headers = {}) => ({ method: "POST", path, headers: { ...headers, ...JSON_TYPE }, body: JSON.stringify(value) });
export const form = (path, fields, headers = {}) => ({ method: "POST", path, headers: { ...headers, ...FORM_TYPE }, body: new URLSearchParams(fields).toString() });
/** A request without a body, by another method. */
export const bare = (method, path, headers = {}) => ({ method, path, headers, ...(method === "POST" ? { body: "" } : {}) });
