// Cloudflare's library in the smallest worker that it allows, and a route that does what a person does in a browser.
import { OAuthProvider } from "@cloudflare/workers-oauth-provider";

const REDIRECT = "https://agent.example.com/callback";

const api = {
  fetch: (_request, _env, context) => Response.json({ user: context.props.user }),
};

const rest = {
  async fetch(request, env) {
    const user = new URL(request.url).searchParams.get("authorize");
    if (user === null) return new Response("ready");
    const client = await env.OAUTH_PROVIDER.createClient({ redirectUris: [REDIRECT], tokenEndpointAuthMethod: "client_secret_post", clientName: "agent" });
    const asked = { responseType: "code", clientId: client.clientId, redirectUri: REDIRECT, scope: ["api.read"], state: "" };
    const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({ request: asked, userId: user, metadata: {}, scope: ["api.read"], props: { user } });
    const code = new URL(redirectTo).searchParams.get("code");
    return Response.json({ fields: { code, redirect_uri: REDIRECT, client_id: client.clientId, client_secret: client.clientSecret } });
  },
};

const provider = (origin) =>
  new OAuthProvider({
    apiRoute: "/api",
    apiHandler: api,
    defaultHandler: rest,
    authorizeEndpoint: "/authorize",
    tokenEndpoint: "/oauth/token",
    clientRegistrationEndpoint: "/oauth/register",
    scopesSupported: ["api.read"],
    accessTokenTTL: 86400,
    resourceMetadata: { resource: `${origin}/api`, authorization_servers: [origin] },
  });

let made;

export default {
  fetch(request, env, context) {
    made ??= provider(env.ORIGIN);
    return made.fetch(request, env, context);
  },
};
