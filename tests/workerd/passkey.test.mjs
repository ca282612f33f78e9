// Passkeys, with Chromium's virtual authenticator: adding one, signing in with it, using it for a claim, removing it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { registerKey, until } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { launch, look } from "./support/chromium.mjs";
import { page as pageOf, poll } from "./support/claim.mjs";
import { deploy } from "./support/postern.mjs";
import { add, assertion, device, enter, refusedAs, send } from "./support/passkey.mjs";
import { Browser, newestMail } from "./support/person.mjs";
import { local } from "./support/production.mjs";
import { rewrite } from "./support/storage.mjs";

let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

test("a person adds a passkey, signs out, signs in with it, and removes it (issue 1)", async () => {
  const there = await device(browser, "keyed@example.com", postern);
  const { page, cdp, authenticatorId, context } = there;
  await add(there);
  await page.getByText("Passkey added").first().waitFor();
  const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
  assert.equal(credentials.length, 1);
  assert.deepEqual([credentials[0].isResidentCredential, credentials[0].rpId], [true, "localhost"]);
  assert.deepEqual(await look(page, "account-passkey"), []);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/login?*");
  await enter(there);
  assert.equal(new URL(page.url()).pathname, "/account");
  assert.equal(await there.who(), "keyed@example.com");
  assert.match(await page.locator("section", { hasText: "Where you are signed in" }).textContent(), /by passkey/);
  const passkeys = page.locator("section", { has: page.getByRole("heading", { name: "Passkeys" }) });
  assert.match(await passkeys.textContent(), /last used \d{4}-/);
  await passkeys.locator("summary").click();
  await page.getByRole("button", { name: "Yes, remove it" }).click();
  await page.getByText("The passkey is removed").waitFor();
  await page.getByText("Passkey removed").first().waitFor();
  await refusedAs(await (await there.signOut(), send(there, await assertion(there))), "a removed passkey");
  assert.deepEqual(context.faults, []);
  await context.close();
});

test("the options ask for a resident key, for verification of the user, and for no word of the device's make (issue 1)", async () => {
  const there = await device(browser, "options@example.com", postern);
  await add(there);
  const ask = (path) => there.page.evaluate((path) => fetch(path, { method: "POST", headers: { "content-type": "application/json", "x-csrf": document.querySelector('meta[name="csrf"]').content }, body: "{}" }).then((answer) => answer.json()), path);
  const { publicKey: made } = await ask("/account/passkeys/options");
  assert.equal(made.authenticatorSelection.userVerification, "required");
  assert.equal(made.authenticatorSelection.residentKey, "required");
  assert.ok([undefined, "none"].includes(made.attestation));
  assert.equal(made.rp.id, "localhost");
  assert.equal(made.excludeCredentials.length, 1, "the same device is not asked twice");
  assert.ok(!Buffer.from(made.user.id, "base64url").includes("@"), "the handle does not tell who it is");
  const { publicKey: used } = await ask("/login/passkey/options");
  assert.equal(used.userVerification, "required");
  assert.deepEqual(used.allowCredentials ?? [], [], "nobody learns who has a passkey");
  assert.notEqual((await ask("/login/passkey/options")).publicKey.challenge, used.challenge);
  await there.context.close();
});

test("a person whose account has a passkey answers a mailed link only after signing in with it (issue 1, C20)", async () => {
  const email = "stronger@example.com";
  const there = await device(browser, email, postern);
  await add(there);
  await there.signOut();
  const agent = await registerKey(postern, {}, { agent: "Mailer" });
  await ok(postern.json("/agent/auth/claim", { claim_token: agent.claim_token, email }));
  const link = local((await newestMail(postern, email)).links[0]);
  const reader = await new Browser(postern).send(link);
  assert.equal(reader.status, 303, "who reads the mail alone does not see it");
  const challenge = await read(postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token: new URL(link, postern.issuer).searchParams.get("claim_attempt_token") }));
  assert.notEqual(challenge.status, 200, challenge.text);
  await enter(there, link);
  assert.equal(new URL(there.page.url()).pathname, "/claim");
  await there.page.getByRole("button", { name: "My agent asked me for a code" }).click();
  const code = (await there.page.locator(".shown").textContent()).replace(/\D/g, "");
  const done = await ok(postern.json("/agent/auth/claim/complete", { claim_token: agent.claim_token, otp: code }));
  assert.equal(done.status, "claimed");
  assert.deepEqual(there.context.faults, []);
  await there.context.close();
});

test("a person signs in with a passkey on the way to an agent's request, and comes back to it (35)", async () => {
  const email = "onward@example.com";
  const there = await device(browser, email, postern);
  await add(there);
  await there.signOut();
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
  await enter(there, agent.claim.attempt.verification_uri);
  assert.equal(new URL(there.page.url()).pathname + new URL(there.page.url()).search, pageOf(agent.claim.attempt.verification_uri));
  await there.page.getByLabel(/^Code that your agent/).fill(agent.claim.user_code);
  await there.page.getByRole("button", { name: "Allow this agent" }).click();
  await there.page.getByText("Approved").waitFor();
  assert.equal((await poll(postern, agent.claim_token)).status, 200);
  await there.context.close();
});

describe("adding", () => {
  test("is refused without verification of the user, for a challenge of a sign-in, and twice (issue 1)", async () => {
    const there = await device(browser, "adds@example.com", postern);
    const { page, cdp, authenticatorId } = there;
    await page.goto("/account");
    const make = (path, twice = false) =>
      page.evaluate(
        async ([path, twice]) => {
          const headers = { "content-type": "application/json", "x-csrf": document.querySelector('meta[name="csrf"]').content };
          const post = async (path, body) => fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
          const { publicKey } = await (await post("/account/passkeys/options", {})).json();
          const { challenge } = (await (await post(path, {})).json()).publicKey;
          const options = PublicKeyCredential.parseCreationOptionsFromJSON({ ...publicKey, challenge });
          const made = await navigator.credentials.create({ publicKey: options });
          const send = async (credential) => (await post("/account/passkeys", { credential, name: "x" })).status;
          // Nobody signs what a device says at its making: its flags stand behind the hash of the relying party's name.
          const unverified = made.toJSON();
          const bytes = new Uint8Array(made.response.attestationObject.slice(0));
          const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(publicKey.rp.id)));
          const at = bytes.findIndex((_, at) => hash.every((byte, offset) => bytes[at + offset] === byte)) + 32;
          bytes[at] &= ~4;
          unverified.response.attestationObject = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
          const statuses = [await send(unverified), await send(made.toJSON())];
          if (twice) statuses.push(await send(made.toJSON()));
          return statuses;
        },
        [path, twice],
      );
    assert.deepEqual(await make("/login/passkey/options"), [400, 400], "a challenge for signing in");
    const visitor = await there.cookies();
    assert.ok(!(await visitor.open("/account")).html.includes("Passkey added"));
    await cdp.send("WebAuthn.clearCredentials", { authenticatorId });
    assert.deepEqual(await make("/account/passkeys/options", true), [400, 204, 400], "unverified; well; and a challenge that was answered before");
    await there.context.close();
  });

  test("keeps the name that the person gives, cleaned and cut (153)", async () => {
    const there = await device(browser, "named-key@example.com", postern);
    await there.page.goto("/account");
    const name = `<b>\u202eKey</b> ${"x".repeat(100)}`;
    await there.page.getByLabel("Name for a new passkey").evaluate((input, value) => {
      input.removeAttribute("maxlength");
      input.value = value;
    }, name);
    await there.page.getByRole("button", { name: "Add a passkey" }).click();
    await there.page.getByText("Passkey added").first().waitFor();
    const html = await there.page.content();
    assert.ok(html.includes(`&lt;b&gt;Key&lt;/b&gt; ${"x".repeat(60 - 11)}<`) && !html.includes("\u202e"), html);
    await there.context.close();
  });

  test("asks for a sign-in within the last quarter of an hour (issue 1, 98)", async () => {
    const own = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } });
    try {
      const there = await device(browser, "stale@example.com", own);
      await own.restart({}, () => rewrite(own, "session", (body) => body.replace(/"signed_in":(\d+)/, (_, moment) => `"signed_in":${moment - 901_000}`)));
      await there.page.goto("/account");
      await there.page.getByRole("button", { name: "Add a passkey" }).click();
      await there.page.waitForURL("**/login?*");
      assert.match(await there.page.content(), /Confirm that it is you/);
      const { credentials } = await there.cdp.send("WebAuthn.getCredentials", { authenticatorId: there.authenticatorId });
      assert.equal(credentials.length, 0);
      await there.context.close();
    } finally {
      await own.stop();
    }
  });

  test("ends at twenty (issue 1)", async () => {
    const there = await device(browser, "twenty@example.com", postern);
    const { page, cdp, authenticatorId } = there;
    const statuses = [];
    page.on("response", (response) => response.url().endsWith("/account/passkeys") && statuses.push(response.status()));
    for (let count = 0; count < 21; count += 1) {
      await cdp.send("WebAuthn.clearCredentials", { authenticatorId });
      await page.goto("/account");
      await page.getByLabel("Name for a new passkey").fill("Linux");
      await page.getByRole("button", { name: "Add a passkey" }).click();
      await until(() => statuses.length > count);
      if (count < 20) await page.getByRole("heading", { name: "Linux" }).nth(count).waitFor();
      else await page.locator('[data-passkey="said"].bad').waitFor();
    }
    assert.deepEqual(statuses, [...Array(20).fill(204), 400]);
    await there.context.close();
  });
});
