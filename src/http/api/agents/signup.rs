//! A short-lived token for an agent that somebody lets work for them (`auth_agent` of Codens): it can only be narrower than whoever asks.

use serde_json::{Value, json};

use super::{create, token};
use crate::cx::Cx;
use crate::email::visible;
use crate::grant::claim::merge;
use crate::http::api::body::unfit;
use crate::http::api::credentials::Limit;
use crate::http::api::manager::{Manager, unexpected};
use crate::http::refuse::Refused;
use crate::http::register::first;
use crate::id::RegistrationId;
use crate::machine::registration::{Command, NewKey, Outcome, Registration};
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::secret::{ApiKey, Secret};
use crate::store::Ports;
use crate::tenant::{self, AgentType, Profile, Status};
use crate::time::{Timestamp, Ttl};
use crate::verify;

/// How long the tokens live.
const LIFE: Ttl = Ttl::from_seconds(900);

/// A token for `scopes`, for a child that is called `name`: the same child whenever the manager asks under that name, so that it is listed
/// once, and stops for good when it is revoked. Its key is derived anew each time and shown to nobody.
///
/// # Errors
/// The manager may not do that much itself, or the name is taken by a child that came otherwise.
pub(in crate::http) async fn sign_up<P: Ports>(manager: &Manager, name: &str, scopes: &[&str], cx: &Cx<'_, P>) -> Result<Value, Refused> {
    manager.lasting()?;
    let name = visible(name);
    if name.is_empty() {
        return Err(unfit("agent_name must have something that can be seen"));
    }
    let scope: Scope = scopes.join(" ").parse().map_err(|_| unfit("scopes must be scopes"))?;
    if scope.is_empty() || !scope.is_within(&manager.caller.rights()) {
        return Err(Refused::new(ErrorCode::InvalidScope, "an agent would have more than its maker")
            .hint("Ask for scopes that you have yourself: whoami lists them."));
    }
    let (limit, root) = (Limit::of(manager, cx), manager.caller.active.root());
    let since = root.taken.map(|taken| taken.generation);
    let master = &cx.config.masters.current;
    let derive = |label: &str, more: &[u8]| master.idempotent(label, &[manager.id.as_str().as_bytes(), name.as_bytes(), more]);
    let id = RegistrationId::from_bytes(first(derive("signup agent", &[])));
    // A key of before a claim keeps the rights of before: afterwards it is another. So is one that ends sooner, as whoever asks for it does.
    let ends = limit.until.map(Timestamp::seconds);
    let bits = derive("signup key", format!("{} {since:?} {ends:?} {scope}", root.claimed).as_bytes());
    let profile = Profile {
        name: name.clone(),
        agent_type: AgentType::Tool,
        description: None,
        homepage_url: None,
        public_key: None,
        max_child_depth: 0,
        metadata: "{}".to_owned(),
    };
    let agent = create::make(manager, id, manager.id.clone(), false, profile, cx).await?;
    if agent.status != Status::Active {
        return Err(tenant::Refused::Inactive.into());
    }
    let secret = Secret::<ApiKey>::mint(&cx.config.api_key_prefix, agent.id.digits(), bits, master);
    let key = NewKey {
        digest: secret.digest(),
        scope: Some(scope.clone()),
        lifetime: Some(LIFE),
        expires: limit.until,
        limited: limit.limited,
        root_generation: Some(root.generation),
    };
    match cx.ports.run::<Registration>(&agent.id, Command::AddManagedKey(key)).await? {
        Outcome::Credential(standing, _) => verify::remember(&agent.id, Some(std::rc::Rc::new(standing)), cx),
        Outcome::Full => {
            return Err(tenant::Refused::TooMany.into());
        }
        Outcome::Refused | Outcome::Unknown => return Err(tenant::Refused::Ended.into()),
        _ => return Err(unexpected()),
    }
    let mut answer = json!({ "agent_id": agent.id, "agent_name": name });
    merge(&mut answer, token(&secret.reveal(), &scope, false, cx).await?);
    Ok(answer)
}
