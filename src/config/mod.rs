//! The configuration: read once, all faults reported at once.

pub mod clients;
pub mod reader;
pub mod resource;
pub mod settings;
pub mod trust;
pub mod upstream;
mod variables;

use std::collections::BTreeMap;

use crate::machine::registration::claim::Paths;
use crate::master::Masters;
use crate::network::{Cidr, Origin};
use crate::oauth::scope::{GrantedScope, Scope};
use crate::time::Ttl;

pub use reader::Faults;
pub use resource::Resource;
pub use trust::Provider;
pub use upstream::Upstream;

/// Everything that an operator can decide.
pub struct Config {
    /// An origin without trailing slash, used byte for byte wherever an issuer is named.
    pub issuer: String,
    /// What people are told.
    pub service: Service,
    /// What tokens are issued for; ours last, `/mcp` before `/api/v1`.
    pub resources: Vec<Resource>,
    /// Every scope that a token may carry.
    pub scopes_supported: Scope,
    /// What our own read calls need.
    pub read_scope: Scope,
    /// What an unclaimed agent may do.
    pub pre_claim_scopes: GrantedScope,
    /// What a claimed agent may do.
    pub post_claim_scopes: GrantedScope,
    /// Registration without any identity is on.
    pub anonymous: bool,
    /// Registration on behalf of a person is on: somebody delivers mail.
    pub service_auth: bool,
    /// Registration with a provider's word is on: somebody is trusted.
    pub identity_assertion: bool,
    /// How a person confirms a claim.
    pub claim_paths: Paths,
    /// What scopes allow, in words for people.
    pub scope_descriptions: BTreeMap<String, String>,
    /// Colours of the pages.
    pub theme: Theme,
    /// Who delivers mail; without it there are no people, and so no claims.
    pub mail: Option<Mail>,
    /// OpenID Connect is on: there are people, and the operator has not turned it off.
    pub openid: bool,
    /// Which dialects of auth.md are spoken.
    pub dialects: Dialects,
    /// What API keys begin with.
    pub api_key_prefix: String,
    /// Lives of things.
    pub ttls: Ttls,
    /// Registrations an hour.
    pub limits: Limits,
    /// Whether DPoP proofs need a nonce.
    pub dpop_nonces: Nonces,
    /// Browser origins that may call `/mcp`.
    pub allowed_origins: Vec<String>,
    /// Whether MCP clients are let in without a credential, as far as open tools go.
    pub mcp_open_tools: bool,
    /// The keys derived from `POSTERN_SECRET`.
    pub masters: Masters,
    /// SHA-256 of the operator's key.
    pub operator_key: Option<[u8; 32]>,
    /// Names and SHA-256 of the keys of resource servers.
    pub resource_server_keys: Vec<(String, [u8; 32])>,
    /// Who may vouch for agents.
    pub providers: Vec<Provider>,
    /// Clients' attempts to connect are kept for the operator.
    pub trace: bool,
    /// Clients that the operator has written down.
    pub clients: clients::Clients,
    /// Where people may sign in with somebody else's word.
    pub upstreams: Vec<Upstream>,
    /// `DEV=1` with a loopback issuer.
    pub development: bool,
}

/// How mail is delivered.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// Who takes it.
    pub through: Mailer,
    /// Mails an hour to one address.
    pub per_address: u32,
    /// Mails an hour that one address of the network may cause.
    pub per_network: u32,
    /// Mails an hour of the deployment.
    pub per_deployment: u32,
}

/// Who takes mail.
#[derive(Clone, PartialEq, Eq)]
pub enum Mailer {
    /// Development: kept, and shown at `/dev/outbox`.
    Outbox,
    /// Cloudflare's `send_email` binding.
    Binding,
    /// An HTTP provider with Resend's API.
    Http {
        /// Where.
        url: String,
        /// Its key.
        key: String,
    },
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Outbox => "Outbox",
            Self::Binding => "Binding",
            Self::Http { .. } => "Http",
        })
    }
}

/// Whether DPoP proofs need a nonce of ours (RFC 9449, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonces {
    /// None is given, and none is looked at.
    Off,
    /// One is given; a proof without one counts by its `iat`.
    Optional,
    /// A proof without one does not count.
    Required,
}

/// Colours of the pages, `#rrggbb`.
#[derive(Clone, Debug, Default)]
pub struct Theme {
    /// Buttons and links.
    pub color: Option<String>,
    /// The same in dark mode.
    pub color_dark: Option<String>,
}

/// What people are told about the service.
pub struct Service {
    /// Its name.
    pub name: String,
    /// URL of its logo.
    pub logo: Option<String>,
    /// URL of its documentation.
    pub documentation: Option<String>,
    /// Contact for security matters.
    pub contact: Option<String>,
}

/// Which dialects of auth.md are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialects {
    /// The newest protocol.
    pub v07: bool,
    /// The hosted dialect: nested answers.
    pub authkit: bool,
    /// The first: `/agent/auth`, API keys.
    pub v01: bool,
}

impl Dialects {
    /// Whether one of those is spoken that have `/agent/identity`.
    #[must_use]
    pub const fn newer(self) -> bool {
        self.v07 || self.authkit
    }

    /// Whether agents can come in at all.
    #[must_use]
    pub const fn any(self) -> bool {
        self.newer() || self.v01
    }
}

/// Lives of things.
#[derive(Clone, Copy, Debug)]
pub struct Ttls {
    /// Access tokens.
    pub access_token: Ttl,
    /// Access tokens of clients.
    pub client_token: Ttl,
    /// Identity assertions.
    pub assertion: Ttl,
    /// Registrations that nobody claims.
    pub unclaimed: Ttl,
    /// API keys; none for as long as the registration.
    pub api_key: Option<Ttl>,
    /// What a registration said of itself.
    pub liveness: Ttl,
    /// For how long audit rows are kept; zero for good.
    pub audit: Ttl,
    /// Time between signing keys.
    pub key_rotation: Ttl,
    /// A client that has registered itself, and that nobody uses.
    pub unused_client: Ttl,
    /// The longest life of a person's session.
    pub session: Ttl,
    /// Its longest pause.
    pub session_idle: Ttl,
}

/// Registrations an hour, and requests a minute.
pub struct Limits {
    /// Of one IPv4 address or IPv6 /64.
    pub per_network: u32,
    /// The same, with a provider's or a person's name.
    pub vouched_per_network: u32,
    /// Of the deployment.
    pub per_deployment: u32,
    /// New clients, of one IPv4 /24 or IPv6 /48.
    pub clients_per_network: u32,
    /// New clients, of the deployment; none can register if it is 0.
    pub clients_per_deployment: u32,
    /// Of shared egress networks.
    pub overrides: Vec<(Cidr, u32)>,
    /// Requests a minute of one agent that manages agents.
    pub api_per_minute: u32,
}

impl Config {
    /// Reads the variables of a deployment.
    ///
    /// # Errors
    /// All faults at once, unknown names included.
    pub fn parse(variables: &BTreeMap<String, String>) -> Result<Self, Faults> {
        reader::read(variables)
    }

    /// The resource that tokens are for when none is asked for: our `/mcp`.
    #[must_use]
    pub fn default_resource(&self) -> Option<&Resource> {
        self.resource(&self.own("/mcp"))
    }

    /// The resource that `asked` names.
    #[must_use]
    pub fn resource(&self, asked: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.is(asked))
    }

    /// The resource that a client asks for (RFC 8707, section 2): by its name, or by its name with more in the query, which is what people add to
    /// the address of an MCP server to choose among its tools. Of several that fit it is the one that says most; of those, the first. The token is for
    /// the resource as it is named here.
    #[must_use]
    pub fn resource_asked(&self, asked: &str) -> Option<&Resource> {
        let nearest = || {
            let fitting = self.resources.iter().filter_map(|resource| resource.pairs_within(asked).map(|pairs| (pairs, resource)));
            fitting.min_by_key(|(pairs, _)| std::cmp::Reverse(*pairs)).map(|(_, resource)| resource)
        };
        self.resource(asked).or_else(nearest)
    }

    /// Every resource that tokens are issued for.
    #[must_use]
    pub fn resource_uris(&self) -> String {
        self.resources.iter().map(|resource| resource.uri.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// An absolute address of ours.
    #[must_use]
    pub fn own(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// What an agent is entitled to.
    #[must_use]
    pub fn entitled(&self, claimed: bool) -> &GrantedScope {
        if claimed { &self.post_claim_scopes } else { &self.pre_claim_scopes }
    }

    /// What an agent does not say how to confirm is confirmed in these ways.
    #[must_use]
    pub fn ambiguous_paths(&self) -> Paths {
        match (self.claim_paths, self.dialects) {
            (Paths::Both, Dialects { v07: true, authkit: false, .. }) => Paths::Typed,
            (Paths::Both, Dialects { v07: false, authkit: true, .. }) => Paths::Relay,
            (paths, _) => paths,
        }
    }

    /// Registrations an hour of the address that a request comes from; `vouched` with a provider's or a person's name.
    #[must_use]
    pub fn registrations_per_hour(&self, origin: &Origin, vouched: bool) -> u32 {
        let found = self.limits.overrides.iter().find(|(network, _)| network.contains(origin));
        let usual = if vouched { self.limits.vouched_per_network } else { self.limits.per_network };
        found.map_or(usual, |(_, per_hour)| (*per_hour).max(if vouched { usual } else { 0 }))
    }
}
