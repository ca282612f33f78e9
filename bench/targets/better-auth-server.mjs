// better-auth with its OAuth provider as its documentation sets it up, its records in its own memory adapter.
import { createServer } from "node:http";
import { oauthProvider } from "@better-auth/oauth-provider";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";

const [port, resource] = process.argv.slice(2);
const TABLES = ["user", "session", "account", "verification", "jwks", "oauthClient", "oauthClientResource", "oauthResource", "oauthAccessToken", "oauthRefreshToken", "oauthConsent", "oauthClientAssertion"];
const SCOPE = "api.read";

const auth = betterAuth({
  baseURL: `http://localhost:${port}`,
  basePath: "/",
  secret: "a-secret-of-the-benchmark-only-0123456789abcdef",
  database: memoryAdapter(Object.fromEntries(TABLES.map((table) => [table, []]))),
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
  emailAndPassword: { enabled: true },
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: "ES256" } } }),
    oauthProvider({
      loginPage: "/login",
      consentPage: "/consent",
      scopes: [SCOPE],
      resources: [resource],
      enforcePerClientResources: false,
      m2mAccessTokenExpiresIn: 86_400,
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      clientPrivileges: () => true,
    }),
  ],
});

// Only somebody who is signed in can make a client for machines.
const { headers } = await auth.api.signUpEmail({
  body: { name: "Operator", email: "operator@example.com", password: "a-password-of-the-benchmark-only" },
  returnHeaders: true,
});
const cookie = headers.getSetCookie().map((set) => set.split(";")[0]).join("; ");
const machine = await auth.api.adminCreateOAuthClient({
  headers: new Headers({ cookie }),
  body: {
    client_name: "agent",
    redirect_uris: ["https://agent.example.com/callback"],
    grant_types: ["client_credentials"],
    token_endpoint_auth_method: "client_secret_post",
    scope: SCOPE,
    client_credentials_scopes: [SCOPE],
  },
});

const handler = toNodeHandler(auth);
createServer((request, response) => {
  // The benchmark asks once who it is.
  if (request.url === "/client") return response.setHeader("Content-Type", "application/json").end(JSON.stringify({ client: machine }));
  return handler(request, response);
}).listen(Number(port), "127.0.0.1");
