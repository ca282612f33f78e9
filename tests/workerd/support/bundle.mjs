// A worker of the tests as one module.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

/** The worker in `support/<name>`, with whatever it imports. */
export async function bundle(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
  });
  return outputFiles[0].text;
}
