//! What was done, and how much there is.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use http::{HeaderName, Response, StatusCode, header};
use serde_json::{Value, json};

use super::body::{self, unfit};
use super::manager::{Deed, Manager, unexpected};
use super::route::Api;
use crate::cx::Cx;
use crate::http::Sent;
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::tenant::{AuditFilter, AuditRow, Outcome, Stats, What};
use crate::time::{Timestamp, Ttl};

/// One JSON object a line.
pub(in crate::http) const NDJSON: &str = "application/x-ndjson";
/// The longest page.
const MOST: u32 = 500;
/// No name of ours is longer.
const LONGEST: usize = 256;
const NEXT: HeaderName = HeaderName::from_static("x-next-cursor");
const RETURNED: HeaderName = HeaderName::from_static("x-total-returned");

pub(super) async fn serve<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if api == Api::Stats {
        let Outcome::Stats(stats) = manager.ask(Deed::new(What::Stats), cx).await? else { return Err(unexpected()) };
        return Ok(reply::json(StatusCode::OK, &counted(manager, &stats, cx)));
    }
    let query = Params::parse(sent.query.as_bytes()).map_err(|error| unfit(error.to_string()))?;
    let filter = filter(&query)?;
    let limit = filter.limit;
    let lines = match query.find("export") {
        Some("ndjson") => true,
        Some("json") => false,
        None => sent.headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(NDJSON))),
        Some(_) => return Err(unfit("export must be json or ndjson")),
    };
    let Outcome::Audit(rows, next) = manager.ask(Deed::new(What::Audit(Box::new(filter))), cx).await? else { return Err(unexpected()) };
    let next = next.map(|next| next.to_string());
    let data: Vec<Value> = rows.iter().map(|(number, at, row)| event(manager, *number, *at, row)).collect();
    if !lines {
        return Ok(reply::json(
            StatusCode::OK,
            &json!({ "meta": { "returned": data.len(), "limit": limit, "next_cursor": next }, "data": data }),
        ));
    }
    let text: String = data.iter().map(|event| format!("{event}\n")).collect();
    let mut response = reply::private(StatusCode::OK, NDJSON, text);
    reply::set(response.headers_mut(), RETURNED, &data.len().to_string());
    if let Some(next) = next {
        reply::set(response.headers_mut(), NEXT, &next);
    }
    Ok(response)
}

fn filter(query: &Params) -> Result<AuditFilter, Refused> {
    let (limit, _) = body::page(query, MOST)?;
    let name = |name: &str| match query.find(name) {
        Some(text) if text.len() > LONGEST => Err(unfit(format!("{name} is too long"))),
        found => Ok(found.map(str::to_owned)),
    };
    let time = |name: &str, is_end: bool| {
        let malformed = || unfit(format!("{name} must be a date, or a moment as RFC 3339 has it"));
        query.find(name).map(|text| moment(text, is_end).ok_or_else(malformed)).transpose()
    };
    Ok(AuditFilter {
        event_type: name("event_type")?,
        actor_id: name("actor_id")?,
        target_id: name("target_id")?,
        outcome: query
            .find("outcome")
            .map(|text| text.parse().map_err(|_| unfit("outcome must be success, failure or denied")))
            .transpose()?,
        from: time("from_date", false)?,
        to: time("to_date", true)?,
        after: query.find("after").map(cursor).transpose()?,
        newest_first: match query.find("order") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(unfit("order must be asc or desc")),
        },
        limit,
    })
}

/// A moment, or a day: its beginning, or, where it ends something, that of the next one. Whatever ends at a moment has it in it.
fn moment(text: &str, is_end: bool) -> Option<Timestamp> {
    // The `+` of an offset is a space in a query.
    let text = text.replace(' ', "+");
    let (date, more) = match DateTime::parse_from_rfc3339(&text) {
        Ok(date) => (date.with_timezone(&Utc), Ttl::from_millis(1)),
        Err(_) => (text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc(), Ttl::from_seconds(86_400)),
    };
    let at = Timestamp::from_millis(u64::try_from(date.timestamp_millis()).ok()?);
    Some(if is_end { at.plus(more) } else { at })
}

fn event(manager: &Manager, number: u64, at: Timestamp, row: &AuditRow) -> Value {
    let object = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "id": format!("aud_{}_{number}", manager.account.digits()),
        "event_type": row.event_type,
        "actor_type": row.actor_type,
        "actor_id": row.actor_id,
        "on_behalf_of": object(&row.on_behalf),
        "target_type": row.target_type,
        "target_id": row.target_id,
        "action": row.action,
        "outcome": row.outcome,
        "network": row.network,
        "request_id": row.request_id,
        "metadata": object(&row.metadata).unwrap_or_else(|| json!({})),
        "created_at": at.iso(),
    })
}

/// Only what is counted anyway: tokens are not.
fn counted<P>(manager: &Manager, stats: &Stats, cx: &Cx<'_, P>) -> Value {
    let [active, suspended, revoked] = stats.agents;
    let [live, ended] = stats.credentials;
    json!({
        "data": {
            "agents": active + suspended + revoked,
            "agents_by_status": { "active": active, "suspended": suspended, "revoked": revoked },
            "credentials": live,
            "credentials_revoked": ended,
            "delegations": stats.delegations,
            "policies": stats.policies,
            "webhooks": stats.webhooks,
        },
        "meta": { "agent_id": manager.id, "is_root": manager.id == manager.root, "generated_at": cx.now.iso() },
    })
}

/// A cursor that we have given: the number of a row.
fn cursor(text: &str) -> Result<u64, Refused> {
    text.parse().ok().filter(|_| text.len() <= 20).ok_or_else(|| unfit("after must be a next_cursor"))
}

#[cfg(test)]
mod tests {
    use super::moment;
    use crate::time::Timestamp;

    #[test]
    fn a_day_ends_with_the_next_and_a_moment_is_in_what_it_ends() {
        let at = |text: &str, is_end: bool| moment(text, is_end).map(Timestamp::millis);
        assert_eq!(at("2027-01-15", false), Some(1_799_971_200_000));
        assert_eq!(at("2027-01-15", true), Some(1_799_971_200_000 + 86_400_000));
        assert_eq!(at("2027-01-15T08:00:00Z", false), Some(1_800_000_000_000));
        assert_eq!(at("2027-01-15T09:00:00 01:00", true), Some(1_800_000_000_001));
        for wrong in ["", "2027", "yesterday", "1969-12-31", "2027-01-15T08:00:00"] {
            assert_eq!(at(wrong, false), None, "{wrong}");
        }
    }
}
