// What is on the network outside: documents of clients by their address, and whatever else a test puts there.

/** For `deploy({ options })`: `pages` maps addresses to JSON, or to what answers a request; all else is 404. `calls` has what was asked for. */
export function published(pages) {
  const calls = [];
  const outboundService = async (request) => {
    calls.push(request.url);
    const page = pages[request.url] ?? pages[request.url.split("?")[0]];
    if (typeof page === "function") return page(request);
    if (page === undefined) return new Response("not here", { status: 404 });
    return new Response(JSON.stringify(page), { headers: { "content-type": "application/json", "cache-control": "max-age=300" } });
  };
  return { calls, options: { outboundService } };
}

/** A client's document, at its address. */
export function document(client_id, more = {}) {
  const usual = { client_id, client_name: "Example Editor", redirect_uris: ["https://client.example/callback"], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] };
  return { [client_id]: { ...usual, ...more } };
}
