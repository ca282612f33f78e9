// An agent that a person has claimed.
import assert from "node:assert/strict";
import { until } from "./agent.mjs";
import { ok } from "./answers.mjs";
import { page, poll, start } from "./claim.mjs";

/** Registers an agent and has the person at `browser`, who has signed in as `email`, allow it; what the poll gave is `got`. */
export async function claimed(postern, browser, email, body = {}) {
  const agent = await ok(postern.json("/agent/identity", { type: "anonymous", ...body }));
  const { body: started } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
  const { user_code, verification_uri } = started.claim_attempt;
  await browser.open(page(verification_uri));
  await browser.submit("/agent/identity/claim/complete", { user_code });
  assert.match(browser.html, /Approved/, browser.html);
  const got = await poll(postern, agent.claim_token);
  assert.equal(got.status, 200, got.text);
  await until(async () => (await browser.open("/account")).html.includes(agent.registration_id));
  return { ...agent, got: got.body };
}
