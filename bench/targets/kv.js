// A KV namespace in memory: the part of workerd's protocol that the workers here use. It runs beside them in the same workerd, so
// its CPU counts as theirs.
const entries = new Map();

const expired = (entry) => entry.expires !== null && entry.expires <= Date.now() / 1000;

function expiry(parameters) {
  const ttl = parameters.get("expiration_ttl");
  if (ttl !== null) return Date.now() / 1000 + Number(ttl);
  return parameters.has("expiration") ? Number(parameters.get("expiration")) : null;
}

function find(key) {
  const entry = entries.get(key);
  if (!entry || expired(entry)) return new Response("Not Found", { status: 404 });
  const headers = new Headers();
  if (entry.expires !== null) headers.set("CF-Expiration", String(Math.floor(entry.expires)));
  if (entry.metadata !== null) headers.set("CF-KV-Metadata", entry.metadata);
  return new Response(entry.value, { headers });
}

function list(parameters) {
  const prefix = parameters.get("prefix") ?? "";
  const keys = [...entries].filter(([name, entry]) => name.startsWith(prefix) && !expired(entry)).map(([name, { metadata }]) => ({ name, metadata: metadata ?? undefined }));
  return Response.json({ keys, list_complete: true, cacheStatus: null });
}

export default {
  async fetch(request) {
    const url = new URL(request.url);
    const key = decodeURIComponent(url.pathname.slice(1));
    switch (request.method) {
      case "GET":
        return key === "" ? list(url.searchParams) : find(key);
      case "PUT":
        entries.set(key, { value: await request.arrayBuffer(), expires: expiry(url.searchParams), metadata: request.headers.get("CF-KV-Metadata") });
        return new Response(null);
      case "DELETE":
        entries.delete(key);
        return new Response(null);
      default:
        return new Response("Method Not Allowed", { status: 405 });
    }
  },
};
