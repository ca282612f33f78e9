//! Who acts with a token, and which tokens it came from.

use serde_json::{Value, json};

use super::{Judged, NotExchanged};
use crate::id::Holder;
use crate::jose::claims::Origin;

/// Actors of one token, one behind the other.
pub const MOST_ACTORS: usize = 4;
/// Tokens that one token may come from: each of them is looked at when it is used. Delegations have a limit of their own.
pub const MOST_ORIGINS: usize = 10;

/// `act` and the origins of the token that `subject` is exchanged for.
pub(super) fn of(subject: &Judged, actor: Option<&Judged>) -> Result<(Option<Value>, Vec<Origin>), NotExchanged> {
    let mut origins = subject.token().origins.clone();
    origins.push(origin(subject, false));
    let mut act = subject.token().act.clone();
    if let Some(actor) = actor {
        if actor.token().act.is_some() {
            return Err(NotExchanged::DelegatedActor);
        }
        origins.extend(actor.token().origins.iter().map(|known| Origin { jti: known.jti.clone(), iat: known.iat, ..origin(actor, true) }));
        origins.push(origin(actor, true));
        act = Some(acting(actor, act));
    }
    let tokens = origins.iter().filter(|origin| !origin.jti.is_empty()).count();
    let delegates = origins.iter().filter(|origin| origin.delegation.is_some()).count();
    if tokens > MOST_ORIGINS || act.as_ref().map_or(0, depth) > MOST_ACTORS + delegates {
        return Err(NotExchanged::TooOften);
    }
    Ok((act, origins))
}

/// RFC 8693, section 4.1: the present actor, with those before it inside.
fn acting(actor: &Judged, before: Option<Value>) -> Value {
    let token = actor.token();
    let mut act = json!({ "sub": token.sub });
    if let Value::Object(members) = &mut act {
        if token.client_id != token.sub {
            members.insert("client_id".to_owned(), token.client_id.clone().into());
        }
        members.extend(before.map(|before| ("act".to_owned(), before)));
    }
    act
}

/// The token as an origin; with whose it is, if that is another than the new token's.
fn origin(token: &Judged, foreign: bool) -> Origin {
    let claims = token.token();
    let holder = foreign.then_some(&token.holder);
    Origin {
        jti: claims.jti.clone(),
        iat: token.claims.issued_at.map_or(0, |at| at.timestamp()),
        registration: if let Some(Holder::Registration(id)) = holder { Some(id.clone()) } else { None },
        grant: if let Some(Holder::Grant(id)) = holder { Some(id.clone()) } else { None },
        delegation: None,
        generation: holder.map(|_| claims.generation),
        credential: holder.and(claims.credential),
    }
}

fn depth(act: &Value) -> usize {
    std::iter::successors(Some(act), |act| act.get("act")).count()
}

/// The client of the present actor.
pub(super) fn client_of(act: &Value) -> &str {
    act.get("client_id").or_else(|| act.get("sub")).and_then(Value::as_str).unwrap_or_default()
}
