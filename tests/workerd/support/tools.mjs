/** The tools of /mcp, as they are listed. */
export const TOOLS = ["discover", "whoami", "quickstart", "register", "claim", "claim_status", "authenticate", "refresh_token", "introspect_token", "revoke_token", "list_agents", "get_agent", "create_agent", "update_agent", "auth_agent"];
