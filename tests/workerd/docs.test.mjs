// The description of the API, and its page in a browser.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, look, visit } from "./support/chromium.mjs";
import { deploy } from "./support/postern.mjs";

let browser, postern;

before(async () => {
  postern = await deploy();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await postern?.stop();
});

describe("the description of the API", () => {
  test("is OpenAPI 3.1, for every origin, and is kept by its ETag", async () => {
    const answer = await postern.get("/openapi.json");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    const api = await answer.json();
    assert.equal(api.openapi, "3.1.0");
    assert.ok(api.components.schemas.ErrorCode.enum.includes("slow_down"));
    assert.equal((await postern.get("/openapi.json", { "if-none-match": answer.headers.get("etag") })).status, 304);
  });

  test("answers on every path that can be asked for without a credential", async () => {
    const api = await (await postern.get("/openapi.json")).json();
    const plain = Object.entries(api.paths).filter(([path, { get }]) => get && !get.security && !path.includes("{"));
    assert.ok(plain.length > 20);
    for (const [path, { get }] of plain) {
      const { status } = await postern.get(path);
      assert.ok(get.responses[status] && status < 500, `${path}: ${status}`);
    }
  });

  test("has a page that shows every operation, finds, unfolds what a link leads to, and asks nobody else", async () => {
    const context = await visit(browser, postern);
    const page = await context.newPage();
    await page.goto("/docs#token");
    await page.waitForSelector("#token[open]");
    const api = await (await postern.get("/openapi.json")).json();
    const operations = Object.values(api.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    for (const id of operations) assert.equal(await page.locator(`details#${id}`).count(), 1, id);
    assert.ok(!(await page.locator("main").textContent()).includes("[object"));
    assert.deepEqual(await look(page, "docs"), []);
    await page.getByLabel("Find").fill("/oauth2/par");
    assert.equal(await page.locator("details:visible#pushAuthorization").count(), 1);
    assert.equal(await page.locator("details:visible#health").count(), 0);
    assert.deepEqual(context.faults, []);
    await context.close();
  });

  test("is a link where no script runs", async () => {
    const context = await visit(browser, postern, { javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto("/docs");
    assert.equal(await page.getByRole("link", { name: "OpenAPI 3.1" }).getAttribute("href"), "/openapi.json");
    await context.close();
  });
});
