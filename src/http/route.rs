//! The route table: the table of contents of the product.

use http::HeaderMap;

use super::api::route::Api;
use super::document::Document;
use super::refuse::Surface;
use super::{FORM, logo, media_type, status_list, traces};

/// Everything that can be asked of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'p> {
    Document(Document<'p>),
    StatusList(u32),
    Health,
    Ready,
    Identity,
    RegisterV01,
    Claim,
    Complete,
    ClaimV01,
    ChallengeV01,
    CompleteV01,
    Notify,
    RevokeV01,
    Page(Page),
    Logo(Option<usize>),
    Outbox,
    Token,
    Push,
    Device,
    Userinfo,
    Introspect,
    Revoke,
    Me,
    /// Agents manage agents.
    Api(Api<'p>),
    Mcp,
    OperatorKeys,
    RotateKeys,
    RevokeKey,
    Traces,
    /// One trace, by its name.
    Trace(&'p str),
    EndRegistration,
    Suspend,
    Resume,
    Erase,
    Clients,
    ClientRegistration(&'p str),
    OperatorClients,
    OperatorClient(&'p str),
    Unknown,
}

/// What people's browsers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Login,
    LoginCode,
    LoginLink,
    Upstream,
    UpstreamCallback,
    UpstreamLink,
    RemoveIdentity,
    PasskeyOptions,
    PasskeySignIn,
    Logout,
    Claim,
    ClaimCode,
    ClaimDeny,
    Account,
    RevokeAgent,
    RevokeAllAgents,
    AddPasskeyOptions,
    AddPasskey,
    RemovePasskey,
    EndSession,
    EndOtherSessions,
    Keys,
    RevokeKey,
    Agent,
    SuspendAgent,
    ResumeAgent,
    RevokeAgentKey,
    AnswerDelegation,
    Authorize,
    Consent,
    Device,
    DeviceAnswer,
    EndConnection,
    RpLogout,
}

impl Page {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/login" => Self::Login,
            "/login/code" => Self::LoginCode,
            "/login/link" => Self::LoginLink,
            "/login/upstream" => Self::Upstream,
            "/login/upstream/callback" => Self::UpstreamCallback,
            "/login/upstream/link" => Self::UpstreamLink,
            "/account/identities/remove" => Self::RemoveIdentity,
            "/login/passkey/options" => Self::PasskeyOptions,
            "/login/passkey" => Self::PasskeySignIn,
            "/logout" => Self::Logout,
            "/claim" => Self::Claim,
            "/claim/code" => Self::ClaimCode,
            "/claim/deny" => Self::ClaimDeny,
            "/account" => Self::Account,
            "/account/agents/revoke" => Self::RevokeAgent,
            "/account/agents/revoke-all" => Self::RevokeAllAgents,
            "/account/keys" => Self::Keys,
            "/account/keys/revoke" => Self::RevokeKey,
            "/account/agent" => Self::Agent,
            "/account/agent/suspend" => Self::SuspendAgent,
            "/account/agent/resume" => Self::ResumeAgent,
            "/account/agent/revoke-key" => Self::RevokeAgentKey,
            "/account/agent/delegation" => Self::AnswerDelegation,
            "/account/passkeys/options" => Self::AddPasskeyOptions,
            "/account/passkeys" => Self::AddPasskey,
            "/account/passkeys/remove" => Self::RemovePasskey,
            "/account/sessions/end" => Self::EndSession,
            "/account/sessions/end-others" => Self::EndOtherSessions,
            "/oauth2/authorize" | "/oauth/authorize" | "/authorize" => Self::Authorize,
            "/oauth2/authorize/consent" => Self::Consent,
            "/device" => Self::Device,
            "/device/answer" => Self::DeviceAnswer,
            "/account/clients/revoke" => Self::EndConnection,
            "/oauth2/logout" => Self::RpLogout,
            _ => return None,
        })
    }

    pub(super) const fn methods(self) -> Methods {
        match self {
            Self::Login | Self::LoginLink | Self::Authorize | Self::Device | Self::RpLogout | Self::UpstreamLink | Self::Keys => {
                Methods::Both
            }
            Self::Claim | Self::Account | Self::Agent | Self::UpstreamCallback => Methods::Get,
            _ => Methods::Post,
        }
    }

    /// Called by a script, which reads JSON.
    pub(super) const fn is_script(self) -> bool {
        matches!(self, Self::PasskeyOptions | Self::PasskeySignIn | Self::AddPasskeyOptions | Self::AddPasskey)
    }
}

/// The methods of a route, beside `OPTIONS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// `HEAD` too.
    Get,
    Post,
    Both,
    /// One record: it is read and deleted.
    GetDelete,
    /// And replaced.
    GetPutDelete,
    /// And changed.
    GetPatchDelete,
}

impl Methods {
    pub(super) fn allows(self, method: &str) -> bool {
        match self {
            Self::Get => method == "GET",
            Self::Post => method == "POST",
            Self::Both => method == "GET" || method == "POST",
            Self::GetDelete => method == "GET" || method == "DELETE",
            Self::GetPutDelete => method == "GET" || method == "PUT" || method == "DELETE",
            Self::GetPatchDelete => method == "GET" || method == "PATCH" || method == "DELETE",
        }
    }

    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD, OPTIONS",
            Self::Post => "POST, OPTIONS",
            Self::Both => "GET, HEAD, POST, OPTIONS",
            Self::GetDelete => "GET, HEAD, DELETE, OPTIONS",
            Self::GetPutDelete => "GET, HEAD, PUT, DELETE, OPTIONS",
            Self::GetPatchDelete => "GET, HEAD, PATCH, DELETE, OPTIONS",
        }
    }
}

impl<'p> Route<'p> {
    /// The table of contents of the product.
    pub(super) fn of(path: &'p str) -> Self {
        match path {
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/agent/identity" => Self::Identity,
            "/agent/identity/claim" => Self::Claim,
            "/agent/identity/claim/complete" => Self::Complete,
            "/agent/auth" | "/api/agent/auth" => Self::RegisterV01,
            "/agent/auth/claim" => Self::ClaimV01,
            "/agent/auth/claim/attempt/challenge" => Self::ChallengeV01,
            "/agent/auth/claim/complete" => Self::CompleteV01,
            "/agent/auth/revoke" => Self::RevokeV01,
            "/agent/event/notify" => Self::Notify,
            "/dev/outbox" => Self::Outbox,
            "/oauth2/token" | "/oauth/token" | "/token" => Self::Token,
            "/oauth2/par" => Self::Push,
            "/oauth2/device_authorization" | "/oauth/device/authorize" => Self::Device,
            "/oauth2/userinfo" => Self::Userinfo,
            "/oauth2/introspect" => Self::Introspect,
            "/oauth2/revoke" => Self::Revoke,
            "/api/v1" | "/api/v1/auth/me" => Self::Me,
            "/mcp" => Self::Mcp,
            "/operator/keys" => Self::OperatorKeys,
            "/operator/keys/rotate" => Self::RotateKeys,
            "/operator/keys/revoke" => Self::RevokeKey,
            "/operator/traces" => Self::Traces,
            "/operator/registrations/revoke" => Self::EndRegistration,
            "/operator/people/suspend" => Self::Suspend,
            "/operator/people/resume" => Self::Resume,
            "/operator/people/erase" => Self::Erase,
            "/oauth2/register" | "/oauth/register" | "/register" => Self::Clients,
            "/operator/clients" => Self::OperatorClients,
            _ => {
                let document = Document::of(path).map(Self::Document);
                let list = || status_list::number(path).map(Self::StatusList);
                let page = || Page::of(path).map(Self::Page);
                let logo = || logo::number(path).map(Self::Logo);
                let trace = || path.strip_prefix("/operator/traces/").map(Self::Trace);
                let client = || path.strip_prefix("/oauth2/register/").map(Self::ClientRegistration);
                let operator = || path.strip_prefix("/operator/clients/").map(Self::OperatorClient);
                let api = || Api::of(path).map(Self::Api);
                let known =
                    document.or_else(list).or_else(page).or_else(logo).or_else(trace).or_else(client).or_else(operator).or_else(api);
                known.unwrap_or(Self::Unknown)
            }
        }
    }

    pub(super) const fn methods(self) -> Methods {
        match self {
            Self::Document(_)
            | Self::StatusList(_)
            | Self::Health
            | Self::Ready
            | Self::Me
            | Self::OperatorKeys
            | Self::Logo(_)
            | Self::Outbox
            | Self::Trace(_)
            | Self::Unknown => Methods::Get,
            Self::Traces => Methods::Both,
            Self::Page(page) => page.methods(),
            Self::OperatorClients => Methods::Both,
            Self::OperatorClient(_) => Methods::GetDelete,
            Self::ClientRegistration(_) => Methods::GetPutDelete,
            Self::Userinfo => Methods::Both,
            Self::Api(api) => api.methods(),
            _ => Methods::Post,
        }
    }

    /// Whether a DPoP proof is looked at, and a nonce for the next one given.
    pub(super) const fn takes_proof(self) -> bool {
        matches!(self, Self::Token | Self::Push | Self::Userinfo | Self::Introspect | Self::Me | Self::Api(_) | Self::Mcp)
            && !matches!(
                self,
                Self::Api(
                    Api::Quickstart | Api::Bootstrap | Api::Revoke | Api::Jwks | Api::Scopes | Api::ResolveScopes | Api::PolicySyntax
                )
            )
    }

    /// How errors look. The one path that browsers and agents share is told apart by what they send.
    pub(super) fn surface(self, headers: &HeaderMap) -> Surface {
        match self {
            Self::Identity
            | Self::RegisterV01
            | Self::Claim
            | Self::ClaimV01
            | Self::ChallengeV01
            | Self::CompleteV01
            | Self::RevokeV01 => Surface::Agent,
            Self::Complete if media_type(headers) == FORM => Surface::Page,
            Self::Complete => Surface::Agent,
            Self::Notify => Surface::Event,
            Self::Page(page) if !page.is_script() => Surface::Page,
            // RFC 6749, section 5.2, for whoever asks for a token, wherever.
            Self::Api(Api::Token | Api::Introspect | Api::Revoke) => Surface::OAuth,
            Self::Me | Self::Api(_) => Surface::Problem,
            Self::Traces | Self::Trace(_) if traces::wants_page(headers) => Surface::Page,
            _ => Surface::OAuth,
        }
    }

    /// Answers that depend on a cookie are for our own pages alone.
    pub(super) fn is_for_people(self, headers: &HeaderMap) -> bool {
        matches!(self, Self::Page(_) | Self::ChallengeV01 | Self::Outbox | Self::Traces | Self::Trace(_))
            || (self == Self::Complete && media_type(headers) == FORM)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Document(document) => document.name(),
            Self::StatusList(_) => "status_list",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Identity => "identity",
            Self::RegisterV01 => "register_v01",
            Self::Claim => "claim",
            Self::Complete => "claim_complete",
            Self::ClaimV01 => "claim_v01",
            Self::ChallengeV01 => "claim_challenge_v01",
            Self::CompleteV01 => "claim_complete_v01",
            Self::Notify => "event_notify",
            Self::RevokeV01 => "event_v01",
            Self::Page(Page::Authorize) => "authorize",
            Self::Page(Page::RpLogout) => "logout",
            Self::Page(_) => "page",
            Self::Logo(_) => "logo",
            Self::Outbox => "outbox",
            Self::EndRegistration => "end_registration",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Erase => "erase",
            Self::Token => "token",
            Self::Push => "par",
            Self::Device => "device_authorization",
            Self::Userinfo => "userinfo",
            Self::Introspect => "introspect",
            Self::Revoke => "revoke",
            Self::Me => "me",
            Self::Api(api) => api.name(),
            Self::Mcp => "mcp",
            Self::OperatorKeys => "operator_keys",
            Self::RotateKeys => "rotate_keys",
            Self::RevokeKey => "revoke_key",
            Self::Traces | Self::Trace(_) => "operator_traces",
            Self::Clients => "register_client",
            Self::ClientRegistration(_) => "manage_client",
            Self::OperatorClients => "operator_clients",
            Self::OperatorClient(_) => "operator_client",
            Self::Unknown => "unknown",
        }
    }
}
