//! `/api/v1`: agents manage themselves and the agents below them, with AgentAuth's paths, parameters, bodies and statuses. What each MCP tool
//! does is done here too.

pub(super) mod agents;
pub(super) mod attempt;
pub(super) mod audit;
pub(super) mod body;
pub(super) mod credentials;
pub(super) mod delegations;
mod door;
mod ended;
pub(super) mod evaluate;
pub(super) mod manager;
pub(super) mod policies;
pub(super) mod route;
pub(super) mod scopes;
pub(super) mod seed;
pub(super) mod tokens;
pub(super) mod webhooks;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::refuse::Refused;
use super::{Sent, reply};
use crate::cx::Cx;
use crate::policy;
use crate::store::Ports;
pub(super) use ended::key_ended;
use manager::Manager;
use route::Api;

/// Answers a request whose method the route has.
pub(super) async fn serve<P: Ports>(api: Api<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let Some(scope) = api.needs(sent.method) else { return open(api, sent, cx).await };
    if api == Api::Evaluate {
        return Box::pin(evaluate::evaluate(scope, sent, cx)).await;
    }
    let manager = Manager::enter(sent, scope, route::action(sent.method), cx).await?;
    let mut answer = managed(api, &manager, sent, cx).await;
    if let Ok(response) = &mut answer {
        tokens::advise(&manager.caller.active, response, cx);
    }
    manager.entered.shown(answer, cx)
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

/// What is there for whoever manages agents. What fails is in the audit too.
async fn managed<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let answer = family(api, manager, sent, cx).await;
    if let Err(refused) = &answer {
        attempt::note(manager, sent, refused, cx).await;
    }
    answer
}

async fn family<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match api {
        Api::Agents | Api::Agent(_) | Api::Children(_) => Box::pin(agents::serve(api, manager, sent, cx)).await,
        Api::AgentCredentials(_) | Api::Credentials | Api::Credential(_) | Api::RotateCredential(_) => {
            Box::pin(credentials::serve(api, manager, sent, cx)).await
        }
        Api::Policies | Api::Policy(_) => Box::pin(policies::serve(api, manager, sent, cx)).await,
        Api::Delegations | Api::Delegation(_) | Api::Chain(_) | Api::Accept(_) | Api::Decline(_) => {
            Box::pin(delegations::serve(api, manager, sent, cx)).await
        }
        Api::Webhooks | Api::Webhook(_) | Api::WebhookLogs(_) | Api::RotateWebhook(_) => {
            Box::pin(webhooks::serve(api, manager, sent, cx)).await
        }
        _ => Box::pin(audit::serve(api, manager, sent, cx)).await,
    }
}
