/** The tools of /mcp, as they are listed. */
export const TOOLS = ["discover", "whoami", "quickstart", "register", "claim", "claim_status", "authenticate", "refresh_token", "introspect_token", "revoke_token", "create_credential", "rotate_credential", "revoke_credential", "list_credentials"];
