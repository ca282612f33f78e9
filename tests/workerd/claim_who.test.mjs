// Who may see the page of an attempt: the one person that it is for, once they have signed in.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register, registerKey } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { asking, atPage, csrf, onBehalf, someone, type } from "./support/ceremony.mjs";
import { poll, start } from "./support/claim.mjs";
import { Browser, codeIn, codeOn, forms, newestMail } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";

const ANSWERS = ["/agent/identity/claim/complete", "/claim/code", "/claim/deny"];

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** Nothing on it tells of the request, not even whom it is for. */
function blank(person, { email, user_code, agent }) {
  for (const secret of [email, user_code, agent.registration_id].filter(Boolean)) assert.ok(!person.html.includes(secret), secret);
  for (const action of ANSWERS) assert.ok(!(action in forms(person.html)), action);
  assert.equal(codeOn(person.html), undefined);
}

describe("somebody else who has signed in", () => {
  test("gets 403 without form or code, also on every direct POST, and nothing has changed (33)", async () => {
    const ceremony = await onBehalf(postern);
    const eve = await new Browser(postern).signIn(someone("eve"), ceremony.verification_uri);
    assert.equal(eve.status, 403);
    blank(eve, ceremony);
    const token = csrf(eve);
    for (const action of ANSWERS) {
      await eve.post(action, { csrf: token, claim_attempt_token: ceremony.view, user_code: ceremony.user_code });
      assert.equal(eve.status, 403, action);
      blank(eve, ceremony);
    }
    assert.equal((await poll(postern, ceremony.claim_token)).body.error, "authorization_pending");
    await type(await atPage(postern, ceremony), ceremony.user_code);
    assert.equal((await poll(postern, ceremony.claim_token)).status, 200);
  });

  test("can go and come back as the right person by the button on it", async () => {
    const ceremony = await asking(postern);
    const person = await new Browser(postern).signIn(someone("other"), ceremony.verification_uri);
    await person.submit("/logout");
    assert.equal(forms(person.html)["/login"][0].return_to, ceremony.path);
    await person.signIn(ceremony.email, ceremony.verification_uri);
    assert.match(person.html, /name="user_code"/);
  });
});

test("case and spelling of a hint do not matter, a plus-tag is another address (34)", async () => {
  const email = someone("Ada.L");
  const upper = await asking(postern, email.toUpperCase());
  assert.match((await new Browser(postern).signIn(email.toLowerCase(), upper.verification_uri)).html, /name="user_code"/);
  const name = someone("bea");
  const wide = await asking(postern, name.replace("example.com", "b\u00fccher.example"));
  assert.match((await new Browser(postern).signIn(name.replace("example.com", "xn--bcher-kva.example"), wide.verification_uri)).html, /name="user_code"/);
  const tagged = await asking(postern, email.replace("@", "+agents@"));
  const person = await new Browser(postern).signIn(email, tagged.verification_uri);
  assert.equal(person.status, 403);
  blank(person, tagged);
});

test("composed and decomposed letters of one address are one person's, or the latter are no address (34)", async () => {
  const email = someone("jos\u00e9");
  const { claim_token } = await register(postern);
  const { status, body } = await start(postern, { claim_token, login_hint: email.normalize("NFD") });
  if (status !== 200) return assert.equal(body.error, "invalid_login_hint");
  const person = await new Browser(postern).signIn(email.normalize("NFC"), body.claim_attempt.verification_uri);
  assert.match(person.html, /name="user_code"/, `${person.status}`);
});

describe("letters that only look or fold like ASCII ones are not those (34)", () => {
  // The Kelvin sign's lower case is k, the long s's upper case is S; the others only look alike.
  for (const [ascii, alike] of [["k", "\u212a"], ["s", "\u017f"], ["i", "\u0130"], ["i", "\u0131"], ["k", "\uff4b"], ["a", "\u0430"]])
    test(`U+${alike.codePointAt(0).toString(16).padStart(4, "0")} is not ${ascii}`, async () => {
      const email = someone(`ki${ascii}s`);
      const other = email.replace(`ki${ascii}s`, `ki${alike}s`);
      const victim = await new Browser(postern).signIn(email, "/account");
      assert.ok(victim.html.includes(email));
      const eve = await new Browser(postern).open("/login");
      await eve.submit("/login", { email: other });
      if (eve.status === 200) {
        const { text } = await newestMail(postern, other);
        await eve.submit("/login/code", { code: codeIn(text) });
        await eve.open("/account");
        assert.ok(!eve.html.includes(`<bdi>${email}</bdi>`), "who reads one mailbox is not signed in as another's owner");
      }
      const { claim_token } = await registerKey(postern);
      const started = await read(postern.json("/agent/auth/claim", { claim_token, email: other }));
      if (started.status !== 200) return;
      const { links } = await newestMail(postern, other);
      const challenge = await read(postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token: new URL(links[0]).searchParams.get("claim_attempt_token") }));
      const done = challenge.body?.challenge && (await read(postern.json("/agent/auth/claim/complete", { claim_token, otp: challenge.body.challenge })));
      assert.ok(done, challenge.text);
      const { registration_id } = done.body;
      await victim.open("/account");
      assert.ok(!victim.html.includes(registration_id), "nobody gets an agent in by another's mail");
    });
});

describe("sign-in", () => {
  test("comes before the page for who is signed out, and leads back to it (35)", async () => {
    const ceremony = await asking(postern);
    const person = await new Browser(postern).send(ceremony.path);
    assert.equal(person.status, 303);
    blank(person, ceremony);
    const login = person.headers.get("location");
    assert.match(login, /^\/login\?return_to=/);
    await person.signIn(ceremony.email, login);
    assert.equal(person.url, ceremony.path);
    assert.match(person.html, /name="user_code"/);
  });

  const EVIL = ["//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example/claim?", "http:/evil.example", "///evil.example", "/%5cevil.example", "/\t/evil.example", "\t//evil.example", "javascript:alert(1)", "data:text/html,x", "/claim?\r\nLocation: //evil.example", "/account@evil.example//", "@evil.example", ".evil.example", "/login/../../evil.example", "//localhost@evil.example/account", "/logout", "/claim/deny"];
  for (const return_to of EVIL)
    test(`never leads to ${JSON.stringify(return_to)} (35)`, async () => {
      const email = someone();
      const landed = (person) => {
        const target = new URL(person.headers.get("location") ?? person.url, postern.issuer);
        assert.equal(target.origin, postern.issuer);
        assert.ok(["/account", "/claim", "/login"].some((path) => target.pathname.startsWith(path)) && target.pathname !== "/claim/deny", target.href);
      };
      const person = await new Browser(postern).signIn(email, `/login?return_to=${encodeURIComponent(return_to)}`).catch((error) => error);
      if (person instanceof Error) {
        // A query that holds a control character is refused as a whole.
        assert.match(person.message, /400/, person.message);
        return;
      }
      landed(person);
      landed(await person.send(`/login?return_to=${encodeURIComponent(return_to)}`));
      await person.open("/account");
      await person.post("/logout", { csrf: csrf(person), return_to });
      const back = new URL(person.headers.get("location") ?? "/login", postern.issuer);
      assert.equal(back.pathname, "/login");
      assert.ok(!(back.searchParams.get("return_to") ?? "").includes("evil.example") || back.searchParams.get("return_to").startsWith("/account"));
    });
});
