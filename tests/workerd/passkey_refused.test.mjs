// Every way to cheat with a passkey: all of them are refused in the same words, and a genuine one still works.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ok } from "./support/answers.mjs";
import { launch } from "./support/chromium.mjs";
import { add, assertion, decoded, device, encoded, flags, refusedAs, send } from "./support/passkey.mjs";
import { deploy, OPERATOR_KEY, ROUNDS } from "./support/postern.mjs";
import { Browser } from "./support/person.mjs";

let postern, browser, there;
before(async () => {
  [postern, browser] = await Promise.all([deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } }), launch()]);
  there = await device(browser, "honest@example.com", postern);
  await add(there);
  await there.signOut();
});
after(() => Promise.all([postern.stop(), browser.close()]));

test("an answer without verification of the user is refused, however it is asked for (issue 1)", async () => {
  await there.cdp.send("WebAuthn.setUserVerified", { authenticatorId: there.authenticatorId, isUserVerified: false });
  const unverified = await assertion(there, { userVerification: "discouraged" });
  assert.equal(flags(unverified) & 4, 0, "the device says so");
  await refusedAs(await send(there, unverified));
  const raised = structuredClone(unverified);
  const data = Buffer.from(raised.credential.response.authenticatorData, "base64url");
  data[32] |= 4;
  raised.credential.response.authenticatorData = data.toString("base64url");
  await refusedAs(await send(there, raised), "and nobody can say otherwise");
  await there.cdp.send("WebAuthn.setUserVerified", { authenticatorId: there.authenticatorId, isUserVerified: true });
  assert.equal((await send(there, await assertion(there))).status, 200);
});

test("a challenge is answered once: of 100 answers at once one signs in (issue 1)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const answer = await assertion(there);
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(there, answer)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    assert.equal(answers.filter(({ status }) => status === 400).length, 99);
    assert.equal(answers.filter(({ cookies }) => cookies.has("postern_session")).length, 1);
    await refusedAs(await send(there, answer), "later too");
  }
});

test("an answer counts in the browser that asked for it alone (issue 1)", async () => {
  const answer = await assertion(there);
  const other = await new Browser(postern).open("/login");
  const csrf = /<meta name="csrf" content="([^"]*)"/.exec(other.html)[1];
  await refusedAs(await send({ cookies: async () => other }, { ...answer, csrf }));
  assert.equal((await send(there, answer)).status, 200, "where it belongs it still counts");
});

test("an answer that was changed in any part is refused, and always in the same words (issue 1, 114)", async () => {
  const genuine = await assertion(there);
  const { clientDataJSON, authenticatorData, signature, userHandle } = genuine.credential.response;
  const client = decoded(clientDataJSON);
  const flip = (text) => Buffer.from(text, "base64url").map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte)).toString("base64url");
  const changes = {
    "another challenge": { clientDataJSON: encoded({ ...client, challenge: flip(client.challenge) }) },
    "an invented challenge": { clientDataJSON: encoded({ ...client, challenge: Buffer.alloc(40).toString("base64url") }) },
    "another origin": { clientDataJSON: encoded({ ...client, origin: "https://evil.example" }) },
    "a cross-origin frame": { clientDataJSON: encoded({ ...client, crossOrigin: true, topOrigin: "https://evil.example" }) },
    "another type": { clientDataJSON: encoded({ ...client, type: "webauthn.create" }) },
    "another relying party": { authenticatorData: Buffer.concat([Buffer.alloc(32), Buffer.from(authenticatorData, "base64url").subarray(32)]).toString("base64url") },
    "a higher counter": { authenticatorData: flip(authenticatorData) },
    "another signature": { signature: flip(signature) },
    "no signature": { signature: "" },
    "somebody who does not exist": { userHandle: Buffer.from("acc_0000000000000000000000").toString("base64url") },
    "no user handle": { userHandle: undefined },
  };
  const words = new Set();
  for (const [what, change] of Object.entries(changes)) {
    const credential = structuredClone(genuine.credential);
    Object.assign(credential.response, change);
    const answer = await send(there, { ...genuine, credential });
    await refusedAs(answer, what);
    words.add(answer.html);
  }
  const unknown = structuredClone(genuine.credential);
  unknown.id = unknown.rawId = flip(unknown.rawId);
  const answer = await send(there, { ...genuine, credential: unknown });
  await refusedAs(answer, "an unknown credential");
  words.add(answer.html);
  assert.equal(words.size, 1, [...words].join("\n"));
  assert.ok(userHandle);
  assert.equal((await send(there, genuine)).status, 200, "none of it has used the challenge up");
});

test("a body that is no answer gets 400 and never 500 (issue 1)", async () => {
  const { csrf } = await assertion(there);
  for (const credential of [null, {}, [], "x", 1, { response: {} }, { id: "x", rawId: "x", type: "public-key", response: { clientDataJSON: "%", authenticatorData: "", signature: "", userHandle: "" } }, { id: 1 }]) {
    const visitor = await send(there, { csrf, credential });
    assert.ok([400, 403].includes(visitor.status), `${JSON.stringify(credential)}: ${visitor.status}`);
  }
});

test("a passkey of somebody suspended is refused until they are let in again (issue 1)", async () => {
  const barred = await device(browser, "barred-key@example.com", postern);
  await add(barred);
  await barred.signOut();
  const operator = (what) => ok(postern.json(`/operator/people/${what}`, { email: barred.email }, { authorization: `Bearer ${OPERATOR_KEY}` }));
  await operator("suspend");
  await refusedAs(await send(barred, await assertion(barred)));
  await operator("resume");
  assert.equal((await send(barred, await assertion(barred))).status, 200);
  await operator("erase");
  await refusedAs(await send(barred, await assertion(barred)), "erased");
  await barred.context.close();
});

test("a copy of a passkey, whose counter goes back, is refused, and its owner sees that (issue 1)", async () => {
  const owner = await device(browser, "copied@example.com", postern);
  await add(owner);
  const { cdp, authenticatorId } = owner;
  const { credentials: [copy] } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
  await owner.signOut();
  for (let turn = 0; turn < 3; turn += 1) assert.equal((await send(owner, await assertion(owner))).status, 200);
  await cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId: copy.credentialId });
  await cdp.send("WebAuthn.addCredential", { authenticatorId, credential: { ...copy, signCount: 1 } });
  await refusedAs(await send(owner, await assertion(owner)), "the copy");
  const mailed = await new Browser(postern).signIn(owner.email);
  assert.match((await mailed.open("/account")).html, /may have been copied/);
  await owner.context.close();
});
