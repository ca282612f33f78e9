//! Everything under `/api/v1`, with the methods, and what each needs.

use crate::http::route::Methods;
use crate::policy::Action;

/// Everything under `/api/v1` that agents manage agents with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Api<'p> {
    Quickstart,
    Bootstrap,
    Agents,
    Agent(&'p str),
    Children(&'p str),
    AgentCredentials(&'p str),
    Credentials,
    Credential(&'p str),
    RotateCredential(&'p str),
    Token,
    Introspect,
    Revoke,
    Jwks,
    Scopes,
    ResolveScopes,
    Policies,
    PolicySyntax,
    Evaluate,
    Policy(&'p str),
    Delegations,
    Delegation(&'p str),
    Chain(&'p str),
    Accept(&'p str),
    Decline(&'p str),
    Webhooks,
    Webhook(&'p str),
    WebhookLogs(&'p str),
    RotateWebhook(&'p str),
    AuditEvents,
    Stats,
}

impl<'p> Api<'p> {
    /// What a path is, if it is one of these.
    pub(in crate::http) fn of(path: &'p str) -> Option<Self> {
        Some(match path {
            "/api/v1/agents/quickstart" => Self::Quickstart,
            "/api/v1/agents/bootstrap" => Self::Bootstrap,
            "/api/v1/agents" => Self::Agents,
            "/api/v1/credentials" => Self::Credentials,
            "/api/v1/auth/token" => Self::Token,
            "/api/v1/auth/token/introspect" => Self::Introspect,
            "/api/v1/auth/token/revoke" => Self::Revoke,
            "/api/v1/auth/jwks" => Self::Jwks,
            "/api/v1/scopes" => Self::Scopes,
            "/api/v1/scopes/resolve" => Self::ResolveScopes,
            "/api/v1/policies" => Self::Policies,
            "/api/v1/policies/syntax" => Self::PolicySyntax,
            "/api/v1/policies/evaluate" => Self::Evaluate,
            "/api/v1/delegations" => Self::Delegations,
            "/api/v1/webhooks" => Self::Webhooks,
            "/api/v1/audit/events" => Self::AuditEvents,
            "/api/v1/stats" => Self::Stats,
            _ => return Self::record(path),
        })
    }

    /// One record, by its name.
    fn record(path: &'p str) -> Option<Self> {
        let mut parts = path.strip_prefix("/api/v1/")?.split('/');
        let found = (parts.next()?, parts.next().filter(|id| !id.is_empty())?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        Some(match found {
            ("agents", id, None) => Self::Agent(id),
            ("agents", id, Some("children")) => Self::Children(id),
            ("agents", id, Some("credentials")) => Self::AgentCredentials(id),
            ("credentials", id, None) => Self::Credential(id),
            ("credentials", id, Some("rotate")) => Self::RotateCredential(id),
            ("policies", id, None) => Self::Policy(id),
            ("delegations", id, None) => Self::Delegation(id),
            ("delegations", id, Some("chain")) => Self::Chain(id),
            ("delegations", id, Some("accept")) => Self::Accept(id),
            ("delegations", id, Some("decline")) => Self::Decline(id),
            ("webhooks", id, None) => Self::Webhook(id),
            ("webhooks", id, Some("logs")) => Self::WebhookLogs(id),
            ("webhooks", id, Some("rotate")) => Self::RotateWebhook(id),
            _ => return None,
        })
    }

    pub(in crate::http) const fn methods(self) -> Methods {
        match self {
            Self::Agents | Self::Credentials | Self::Policies | Self::Delegations | Self::Webhooks => Methods::Both,
            Self::Agent(_) => Methods::GetPatchDelete,
            Self::Policy(_) => Methods::GetPutDelete,
            Self::Credential(_) | Self::Delegation(_) | Self::Webhook(_) => Methods::GetDelete,
            Self::Children(_)
            | Self::AgentCredentials(_)
            | Self::Jwks
            | Self::Scopes
            | Self::PolicySyntax
            | Self::Chain(_)
            | Self::WebhookLogs(_)
            | Self::AuditEvents
            | Self::Stats => Methods::Get,
            Self::Quickstart
            | Self::Bootstrap
            | Self::RotateCredential(_)
            | Self::Token
            | Self::Introspect
            | Self::Revoke
            | Self::ResolveScopes
            | Self::Evaluate
            | Self::Accept(_)
            | Self::Decline(_)
            | Self::RotateWebhook(_) => Methods::Post,
        }
    }

    /// The scope that `method` needs; none where nobody has to manage agents.
    pub(in crate::http) fn needs(self, method: &str) -> Option<&'static str> {
        let reads = method == "GET";
        let of = |read: &'static str, write: &'static str| Some(if reads { read } else { write });
        match self {
            Self::Agents | Self::Agent(_) | Self::Children(_) => of("agents.read", "agents.write"),
            Self::AgentCredentials(_) | Self::Credentials | Self::Credential(_) | Self::RotateCredential(_) => {
                of("credentials.read", "credentials.write")
            }
            // To ask what would be decided changes nothing.
            Self::Evaluate => Some("policies.read"),
            Self::Policies | Self::Policy(_) => of("policies.read", "policies.write"),
            Self::Delegations | Self::Delegation(_) | Self::Chain(_) | Self::Accept(_) | Self::Decline(_) => {
                of("delegations.read", "delegations.write")
            }
            Self::Webhooks | Self::Webhook(_) | Self::WebhookLogs(_) | Self::RotateWebhook(_) => of("webhooks.read", "webhooks.write"),
            Self::AuditEvents => Some("audit.read"),
            Self::Stats => Some("agents.read"),
            Self::Quickstart
            | Self::Bootstrap
            | Self::Token
            | Self::Introspect
            | Self::Revoke
            | Self::Jwks
            | Self::Scopes
            | Self::ResolveScopes
            | Self::PolicySyntax => None,
        }
    }

    /// For the log.
    pub(in crate::http) const fn name(self) -> &'static str {
        match self {
            Self::Quickstart => "api_quickstart",
            Self::Bootstrap => "api_bootstrap",
            Self::Agents | Self::Agent(_) | Self::Children(_) => "api_agents",
            Self::AgentCredentials(_) | Self::Credentials | Self::Credential(_) | Self::RotateCredential(_) => "api_credentials",
            Self::Token => "api_token",
            Self::Introspect => "api_introspect",
            Self::Revoke => "api_revoke",
            Self::Jwks => "api_jwks",
            Self::Scopes | Self::ResolveScopes => "api_scopes",
            Self::Policies | Self::PolicySyntax | Self::Policy(_) => "api_policies",
            Self::Evaluate => "api_evaluate",
            Self::Delegations | Self::Delegation(_) | Self::Chain(_) | Self::Accept(_) | Self::Decline(_) => "api_delegations",
            Self::Webhooks | Self::Webhook(_) | Self::WebhookLogs(_) | Self::RotateWebhook(_) => "api_webhooks",
            Self::AuditEvents => "api_audit",
            Self::Stats => "api_stats",
        }
    }
}

/// What an action on a path needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Demand {
    /// It is no path of ours.
    Foreign,
    /// Nothing.
    Everybody,
    /// This scope, and policies have a say.
    Scope(&'static str),
    /// The scope of our own read calls.
    Reading,
    /// There is no such thing to be done.
    Nobody,
}

/// What an action on a plain path needs: what the route of that path does.
pub(in crate::http) fn demand(path: &str, action: Action) -> Demand {
    let methods: &[&str] = match action {
        Action::Read => &["GET"],
        Action::Write => &["POST", "PUT", "PATCH"],
        Action::Delete => &["DELETE"],
        Action::Execute | Action::Delegate | Action::Admin => &[],
    };
    let Some(api) = Api::of(path) else {
        let is_me = path == "/api/v1/auth/me";
        return match action {
            Action::Read if is_me => Demand::Reading,
            _ if is_me => Demand::Nobody,
            _ => Demand::Foreign,
        };
    };
    match methods.iter().find(|method| api.methods().allows(method)) {
        Some(method) => api.needs(method).map_or(Demand::Everybody, Demand::Scope),
        None => Demand::Nobody,
    }
}

/// What a method does to what the path names.
pub(in crate::http) fn action(method: &str) -> Action {
    match method {
        "GET" => Action::Read,
        "DELETE" => Action::Delete,
        _ => Action::Write,
    }
}
