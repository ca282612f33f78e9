//! An agent that manages agents: itself and all below, in the account of its root.

use http::StatusCode;
use serde_json::Value;

use super::door::{self, DECISION, Entered};
use super::{Sent, attempt};
use crate::account;
use crate::cx::Cx;
use crate::http::guard::{self, Caller};
use crate::http::refuse::Refused;
use crate::id::{AccountId, Holder, RegistrationId};
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::policy::Action;
use crate::store::Ports;
use crate::tenant::{self, AgentType, AuditOutcome, AuditRow, Emit, Outcome, Profile, What};
use crate::time::Ttl;
use crate::verify::Kind;

/// How deep the tree of a root may grow that has not said so.
pub(in crate::http) const DEFAULT_DEPTH: u32 = 3;

/// Who manages.
pub(in crate::http) struct Manager {
    /// The credential, and what it may do.
    pub(in crate::http) caller: Caller,
    /// The agent.
    pub(in crate::http) id: RegistrationId,
    /// Its root: itself, if nobody made it.
    pub(in crate::http) root: RegistrationId,
    /// The account of the root, where all below it is listed.
    pub(in crate::http) account: AccountId,
    /// How many requests are left to it.
    pub(in crate::http) entered: Entered,
    /// `act` of the token, if somebody acts for the agent.
    on_behalf: Option<String>,
}

/// What is asked of an account, with what is audited of it and told to webhooks if something changes.
pub(in crate::http) struct Deed {
    what: What,
    audit: Vec<AuditRow>,
    emit: Vec<Emit>,
}

impl Deed {
    pub(in crate::http) fn new(what: What) -> Self {
        Self { what, audit: Vec::new(), emit: Vec::new() }
    }

    /// With a row in the audit: `event` is `agent.created`…, `target` kind and name of what it is done to, `about` whose business it is.
    pub(in crate::http) fn audited(mut self, event: &str, target: (&str, &str), about: &RegistrationId, metadata: &Value) -> Self {
        let metadata = (!metadata.is_null()).then(|| metadata.to_string());
        self.audit.push(AuditRow { metadata, ..AuditRow::of(event, ("agent", None), target, Some(about.clone())) });
        self
    }

    /// What is audited ended like that.
    pub(in crate::http) fn ended(mut self, outcome: AuditOutcome) -> Self {
        self.audit.iter_mut().for_each(|row| row.outcome = outcome);
        self
    }

    /// And with an event for webhooks, if something changes: `type`, `timestamp` and `data`, as Standard Webhooks has them.
    pub(in crate::http) fn told<P>(mut self, event: &str, about: &RegistrationId, data: &Value, cx: &Cx<'_, P>) -> Self {
        self.emit.push(Emit::of(event, about, data, cx.now));
        self
    }
}

impl Manager {
    /// Who sent a request, if they may do what it needs.
    ///
    /// # Errors
    /// 401 and 403 as [`guard::caller`] has them.
    pub(in crate::http) async fn enter<P: Ports>(sent: &Sent<'_>, scope: &str, action: Action, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let caller = guard::agent(&sent.request, cx).await?;
        let who = Self::of(caller.clone());
        let admitted = Self::admit(caller, scope, action, sent.request.path, cx).await;
        if let (Ok(who), Err(refused)) = (&who, &admitted) {
            attempt::note(who, sent, refused, cx).await;
        }
        admitted
    }

    /// The same for somebody who is known: whoever calls a tool asks for the same as a request by REST.
    ///
    /// # Errors
    /// The scope is missing, it is no agent itself, it has asked too often, or a policy denies it.
    pub(in crate::http) async fn admit<P: Ports>(
        caller: Caller,
        scope: &str,
        action: Action,
        resource: &str,
        cx: &Cx<'_, P>,
    ) -> Result<Self, Refused> {
        let mut manager = Self::with(caller, scope, cx)?;
        let here = door::here(&manager, scope, action, resource, cx);
        manager.entered = door::enter(&manager, here, None, cx).await?.0;
        Ok(manager)
    }

    /// Whether policies let it do this too, with what it has come in for.
    ///
    /// # Errors
    /// A policy denies it.
    pub(in crate::http) async fn also<P: Ports>(&self, scope: &str, action: Action, resource: &str, cx: &Cx<'_, P>) -> Result<(), Refused> {
        door::also(self, door::here(self, scope, action, resource, cx), cx).await
    }

    /// An agent with what it needs, who has not entered yet.
    ///
    /// # Errors
    /// The scope is missing, or it is no agent itself.
    pub(super) fn with<P>(caller: Caller, scope: &str, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let needed: Scope = scope.parse().map_err(|_| Refused::new(ErrorCode::ServerError, "a scope of ours is malformed"))?;
        Self::of(caller.needs(&needed, cx).map_err(|refused| refused.header(DECISION, "deny"))?)
    }

    /// An agent, whatever it may do.
    ///
    /// # Errors
    /// It is no agent itself.
    pub(super) fn of(caller: Caller) -> Result<Self, Refused> {
        let Holder::Registration(id) = caller.active.holder.clone() else {
            return Err(Refused::new(ErrorCode::AccessDenied, "a client of a person")
                .status(StatusCode::FORBIDDEN)
                .hint("Agents are managed by agents: use an agent's own API key or token. People manage theirs at /account."));
        };
        if caller.active.behalf.is_some() {
            return Err(Refused::new(ErrorCode::AccessDenied, "a token by delegation")
                .status(StatusCode::FORBIDDEN)
                .hint("What was delegated does not manage agents: use your own API key or token."));
        }
        let root = caller.active.standing.root(&id).clone();
        let account = root.account();
        let on_behalf = match &caller.active.kind {
            Kind::AccessToken(claims) => claims.custom.act.as_ref().map(Value::to_string),
            Kind::ApiKey(_) => None,
        };
        Ok(Self { caller, id, root, account, entered: Entered::default(), on_behalf })
    }

    /// Lets the agent make, change or end something for good: not with a credential that is older than a person's claim. Whoever had the agent
    /// then must neither keep anything of it nor take anything from its new owner.
    ///
    /// # Errors
    /// It is older.
    pub(in crate::http) fn lasting(&self) -> Result<(), Refused> {
        let active = &self.caller.active;
        if active.is_old() {
            return Err(Refused::new(ErrorCode::Forbidden, "a credential that is older than the claim changes nothing")
                .hint("A person has claimed the agent since: use a credential that came after that."));
        }
        Ok(())
    }

    /// `act` of the token, if somebody acts for the agent.
    pub(in crate::http) fn on_behalf(&self) -> Option<&str> {
        self.on_behalf.as_deref()
    }

    /// Has the account do something, on the agent's behalf.
    ///
    /// # Errors
    /// The account did not answer, or refuses.
    pub(in crate::http) async fn ask<P: Ports>(&self, deed: Deed, cx: &Cx<'_, P>) -> Result<Outcome, Refused> {
        let Deed { what, mut audit, emit } = deed;
        let is_audited = !audit.is_empty();
        for row in &mut audit {
            row.actor_id = Some(self.id.to_string());
            row.on_behalf.clone_from(&self.on_behalf);
            row.network = cx.origin.as_ref().map(|origin| origin.narrow.clone());
            row.request_id = Some(cx.request_id.to_owned());
        }
        let command = tenant::Command { caller: Some(self.id.clone()), what, audit, emit, retain: retain(cx) };
        let outcome = match run(&self.account, command.clone(), cx).await? {
            // A root that has never been here is there from now on.
            Outcome::Nothing | Outcome::Refused(tenant::Refused::Missing) if self.root == self.id => {
                if found(&self.account, &self.root, cx).await? {
                    run(&self.account, command, cx).await?
                } else {
                    Outcome::Refused(tenant::Refused::Missing)
                }
            }
            outcome => outcome,
        };
        match outcome {
            // The account has written down what it has refused.
            Outcome::Refused(refused) if is_audited => Err(Refused::from(refused).noted()),
            Outcome::Refused(refused) => Err(refused.into()),
            outcome => Ok(outcome),
        }
    }
}

/// Whether a root was entered into its account just now: not if it was there before.
pub(super) async fn found<P: Ports>(account: &AccountId, root: &RegistrationId, cx: &Cx<'_, P>) -> Result<bool, Refused> {
    let profile = Profile {
        name: root.to_string(),
        agent_type: AgentType::Autonomous,
        description: None,
        homepage_url: None,
        public_key: None,
        max_child_depth: DEFAULT_DEPTH,
        metadata: "{}".to_owned(),
    };
    let what = What::Root { id: root.clone(), profile };
    Ok(matches!(run(account, tenant::Command::alone(what), cx).await?, Outcome::Agent(_, true)))
}

/// Runs one command on an account's tables.
///
/// # Errors
/// The account did not answer.
pub(in crate::http) async fn run<P: Ports>(account: &AccountId, command: tenant::Command, cx: &Cx<'_, P>) -> Result<Outcome, Refused> {
    match cx.ports.account(account, account::Command::Tenant(Box::new(command))).await? {
        account::Outcome::Tenant(outcome) => Ok(*outcome),
        _ => Err(unexpected()),
    }
}

/// An answer that no such question has.
pub(in crate::http) fn unexpected() -> Refused {
    Refused::new(ErrorCode::TemporarilyUnavailable, "an account's answer is none to the question")
}

/// For how long the audit is kept.
pub(in crate::http) const fn retain<P>(cx: &Cx<'_, P>) -> Ttl {
    cx.config.ttls.audit
}

impl From<tenant::Refused> for Refused {
    fn from(refused: tenant::Refused) -> Self {
        use tenant::Refused as Why;

        let (code, hint) = match refused {
            Why::Missing => (ErrorCode::NotFound, "Look for it in the list: what you do not see there is not there for you."),
            Why::Inactive => (ErrorCode::AgentInactive, ErrorCode::AgentInactive.hint()),
            Why::Depth => (ErrorCode::DepthExceeded, "Make the agent nearer to the root, or raise max_child_depth above it."),
            Why::DepthInUse => (ErrorCode::DepthExceeded, "Agents below are deeper already: revoke them first."),
            Why::NameTaken => (ErrorCode::AgentNameConflict, ErrorCode::AgentNameConflict.hint()),
            Why::Forbidden => (ErrorCode::Forbidden, ErrorCode::Forbidden.hint()),
            Why::Conflict => (ErrorCode::Conflict, ErrorCode::Conflict.hint()),
            Why::Ended => (ErrorCode::AlreadyRevoked, ErrorCode::AlreadyRevoked.hint()),
            Why::TooMany => (ErrorCode::LimitReached, ErrorCode::LimitReached.hint()),
        };
        Self::new(code, format!("the account refuses: {refused:?}")).hint(hint)
    }
}
