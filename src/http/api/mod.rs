//! `/api/v1`: agents manage themselves and the agents below them, with AgentAuth's paths, parameters, bodies and statuses. What each MCP tool
//! does is done here too.

mod agents;
mod audit;
pub(super) mod body;
pub(super) mod credentials;
mod delegations;
mod ended;
pub(super) mod manager;
mod policies;
pub(super) mod route;
pub(super) mod scopes;
pub(super) mod seed;
pub(super) mod tokens;
mod webhooks;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::refuse::Refused;
use super::{Sent, reply};
use crate::cx::Cx;
use crate::policy;
use crate::store::Ports;
pub(super) use ended::{Ended, ended};
use manager::Manager;
use route::Api;

/// Answers a request whose method the route has.
pub(super) async fn serve<P: Ports>(api: Api<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let Some(scope) = api.needs(sent.method) else { return open(api, sent, cx).await };
    let manager = Manager::enter(sent, scope, route::action(sent.method), cx).await?;
    let mut response = managed(api, &manager, sent, cx).await?;
    tokens::advise(&manager.caller.active, &mut response, cx);
    Ok(response)
}

/// What is there for everybody.
async fn open<P: Ports>(api: Api<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match api {
        Api::Quickstart | Api::Bootstrap => Box::pin(agents::come_in(api, sent, cx)).await,
        Api::Token | Api::Introspect | Api::Revoke | Api::Jwks => Box::pin(tokens::serve(api, sent, cx)).await,
        Api::PolicySyntax => Ok(reply::json(StatusCode::OK, &json!({ "data": policy::syntax() }))),
        _ => Box::pin(scopes::serve(api, sent, cx)).await,
    }
}

/// What is there for whoever manages agents.
async fn managed<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match api {
        Api::Agents | Api::Agent(_) | Api::Children(_) => Box::pin(agents::serve(api, manager, sent, cx)).await,
        Api::AgentCredentials(_) | Api::Credentials | Api::Credential(_) | Api::RotateCredential(_) => {
            Box::pin(credentials::serve(api, manager, sent, cx)).await
        }
        Api::Policies | Api::Evaluate | Api::Policy(_) => Box::pin(policies::serve(api, manager, sent, cx)).await,
        Api::Delegations | Api::Delegation(_) | Api::Chain(_) | Api::Accept(_) | Api::Decline(_) => {
            Box::pin(delegations::serve(api, manager, sent, cx)).await
        }
        Api::Webhooks | Api::Webhook(_) | Api::WebhookLogs(_) | Api::RotateWebhook(_) => {
            Box::pin(webhooks::serve(api, manager, sent, cx)).await
        }
        _ => Box::pin(audit::serve(api, manager, sent, cx)).await,
    }
}
