// A deployment as in production, and a mail provider with Resend's API that takes its mail.
import { deploy } from "./postern.mjs";

export const PUBLIC = "https://auth.example.com";
export const MAIL = { MAIL: "http", MAIL_FROM: "Example <login@example.com>", MAIL_API_KEY: "re_a-mail-key-of-the-tests-only" };

/**
 * Deploys with `MAIL=http`. `taken` has what the provider took, `calls` every request to the outside; `provider.answer` decides what it
 * answers.
 */
export async function production({ vars = {}, ...more } = {}) {
  const calls = [];
  const taken = [];
  const provider = { answer: () => new Response('{"id":"1"}', { status: 200, headers: { "content-type": "application/json" } }) };
  const outboundService = async (request) => {
    const call = { method: request.method, url: request.url, headers: Object.fromEntries(request.headers), text: await request.text() };
    calls.push(call);
    const response = await provider.answer(call);
    if (response.ok) {
      const body = JSON.parse(call.text);
      taken.push({ ...body, to: body.to[0], links: [...new Set(body.text.match(/https?:\/\/\S+/g))] });
    }
    return response;
  };
  const postern = await deploy({ vars: { DEV: null, ISSUER: PUBLIC, ...MAIL, ...vars }, ...more, options: { outboundService } });
  return Object.assign(postern, { calls, taken, provider });
}

/** Where a link of a letter leads, at whatever address the deployment is reached. */
export const local = (link) => {
  const { pathname, search } = new URL(link);
  return pathname + search;
};
