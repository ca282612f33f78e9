//! `/operator/traces`: the connection trace, as JSON for whoever sends `OPERATOR_KEY`, and as pages for a browser in which it was typed.

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::browser::{self, Visitor};
use super::operator::{self, operator};
use super::page::{self, OperatorKey, TraceList, TracePage};
use super::people::see_other;
use super::refuse::Refused;
use super::together::together;
use super::trace::word;
use super::{form, reply};
use crate::cx::Cx;
use crate::machine::trace::{self, Entry, Progress, Step, Trace, Verdict, progress};
use crate::machine::trace_index::{Command, SHARDS, TraceIndex};
use crate::network::with_bits;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};
use crate::trace::TraceId;
use crate::{base62, master};

/// Traces of one answer.
const PAGE: usize = 50;
/// For so long a browser shows traces after the key was typed.
const OPEN: Ttl = Ttl::from_seconds(900);
/// The cookie that says so.
const COOKIE: &str = "operator";

/// Whether somebody reads the answer, and no program.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// `GET /operator/traces`: newest first; `client_id`, `outcome` and `before` (milliseconds) narrow the list.
pub(super) async fn list<P: Ports>(headers: &HeaderMap, query: &str, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = Params::parse(query.as_bytes())?;
    let visitor = match admitted(headers, cx).await? {
        Admitted::Program => None,
        Admitted::Browser(visitor) => Some(visitor),
        Admitted::Nobody(visitor) => return ask(&visitor, None, cx),
    };
    let (client, outcome) = (params.find("client_id").unwrap_or_default(), params.find("outcome").unwrap_or_default());
    let before = params.find("before").and_then(|before| before.parse().ok()).map_or(Timestamp::NEVER, Timestamp::from_millis);
    let shards = (0..SHARDS).map(|shard| async move { cx.ports.run::<TraceIndex>(&shard, Command::Look).await });
    let (mut found, mut missed) = (Vec::new(), 0_u32);
    for shard in together(shards.collect()).await {
        let (traces, left_out) = shard?;
        missed = missed.saturating_add(left_out);
        found.extend(traces.into_iter().filter(|(_, entry)| entry.at < before && is_asked(entry, client, outcome)));
    }
    found.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.at));
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more).map(|(_, last)| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("client_id", client), ("outcome", outcome)].into_iter().filter(|(_, value)| !value.is_empty()));
        format!("/operator/traces?{}", query.append_pair("before", &last.at.millis().to_string()).finish())
    });
    let Some(visitor) = visitor else {
        let traces: Vec<Value> = found.iter().map(|(id, entry)| summary(id, entry)).collect();
        return Ok(reply::json(StatusCode::OK, &json!({ "traces": traces, "not_kept": missed, "next": next })));
    };
    let rows = found.iter().map(|(id, entry)| page::TraceRow::new(id, entry)).collect();
    let frame = visitor.frame(cx)?.without_person();
    let nonce = frame.nonce.clone();
    let page = TraceList { frame, client, outcome, traces: rows, more: next, missed, off: !cx.config.trace };
    Ok(visitor.remember(page::html(StatusCode::OK, &page, &nonce)?, cx))
}

/// `GET /operator/traces/{id}`
pub(super) async fn one<P: Ports>(id: &str, headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let admitted = admitted(headers, cx).await?;
    if let Admitted::Nobody(visitor) = &admitted {
        return ask(visitor, None, cx);
    }
    let unknown =
        || Refused::new(ErrorCode::NotFound, "no such trace").hint("GET /operator/traces lists the traces; they are kept for a day.");
    let id = TraceId::parse(id).ok_or_else(unknown)?.to_string();
    let trace::Outcome::Trace(trace) = cx.ports.run::<Trace>(&id, trace::Command::Look).await? else { return Err(unknown()) };
    let Admitted::Browser(visitor) = admitted else { return Ok(reply::json(StatusCode::OK, &whole(&id, &trace))) };
    let frame = visitor.frame(cx)?.without_person();
    let nonce = frame.nonce.clone();
    Ok(visitor.remember(page::html(StatusCode::OK, &TracePage::new(frame, &id, &trace), &nonce)?, cx))
}

/// `POST /operator/traces`: the form with the operator's `key`, or with `leave`.
pub(super) async fn enter<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = form(headers, body)?;
    let visitor = Visitor::read(headers, cx).await?;
    visitor.check(headers, params.find("csrf"), cx)?;
    let mut response = see_other("/operator/traces");
    if params.find("leave").is_some() {
        browser::set_strict(&mut response, COOKIE, "", 0, cx);
        return Ok(response);
    }
    if !operator::is_key(params.find("key").unwrap_or_default(), cx) {
        return ask(&visitor, Some("That is not the operator’s key."), cx);
    }
    let until = cx.now.plus(OPEN).millis().to_string();
    let seal = seal(&until, &visitor, &cx.config.masters.current, cx);
    browser::set_strict(&mut response, COOKIE, &format!("{until}.{seal}"), OPEN.seconds(), cx);
    Ok(response)
}

/// Who asks.
enum Admitted {
    /// A program with the key.
    Program,
    /// A browser in which the key was typed.
    Browser(Visitor),
    /// A browser in which it was not.
    Nobody(Visitor),
}

async fn admitted<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Admitted, Refused> {
    if !wants_page(headers) {
        return operator(headers, cx).map(|()| Admitted::Program);
    }
    let visitor = Visitor::read(headers, cx).await?;
    let open = operator(headers, cx).is_ok() || is_open(headers, &visitor, cx);
    Ok(if open { Admitted::Browser(visitor) } else { Admitted::Nobody(visitor) })
}

fn is_open<P>(headers: &HeaderMap, visitor: &Visitor, cx: &Cx<'_, P>) -> bool {
    let Some((until, shown)) = browser::cookie(headers, &browser::name(COOKIE, cx)).and_then(|value| value.split_once('.')) else {
        return false;
    };
    let known = |master| bool::from(seal(until, visitor, master, cx).as_bytes().ct_eq(shown.as_bytes()));
    let lasts = until.parse().is_ok_and(|until| cx.now < Timestamp::from_millis(until));
    lasts && cx.config.operator_key.is_some() && cx.config.masters.all().any(known)
}

/// What only we can say, of this browser, this time and this key.
fn seal<P>(until: &str, visitor: &Visitor, master: &master::Master, cx: &Cx<'_, P>) -> String {
    let key = cx.config.operator_key.unwrap_or_default();
    base62::encode(&master.derive_bytes("operator_page", &[visitor.browser().as_bytes(), until.as_bytes(), &key]))
}

fn ask<P>(visitor: &Visitor, problem: Option<&str>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let frame = visitor.frame(cx)?.without_person();
    let nonce = frame.nonce.clone();
    Ok(visitor.remember(page::html(StatusCode::UNAUTHORIZED, &OperatorKey { frame, problem }, &nonce)?, cx))
}

fn is_asked(entry: &Entry, client: &str, outcome: &str) -> bool {
    let has = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains(client));
    (client.is_empty() || has(&entry.client) || has(&entry.name)) && (outcome.is_empty() || outcome == called(entry.progress))
}

/// What the JSON calls how far an attempt has come.
const fn called(progress: Progress) -> &'static str {
    match progress {
        Progress::Started => "started",
        Progress::Issued => "token_issued",
        Progress::Connected => "connected",
        Progress::Failed => "failed",
    }
}

fn summary(id: &str, entry: &Entry) -> Value {
    json!({
        "trace": id, "client_id": entry.client, "client_name": entry.name, "network": with_bits(&entry.network), "attempts": entry.attempt,
        "began": entry.began.iso(), "at": entry.at.iso(), "outcome": called(entry.progress), "error": entry.check,
    })
}

fn whole(id: &str, trace: &Trace) -> Value {
    let attempts: Vec<Value> = trace
        .steps
        .chunk_by(|one, next| one.attempt == next.attempt)
        .rev()
        .map(|steps| {
            let (outcome, error) = progress(steps);
            let first = steps.first();
            json!({
                "attempt": first.map(|step| step.attempt), "began": first.and_then(|step| step.at.iso()),
                "outcome": called(outcome), "error": error, "steps": steps.iter().map(shown).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "trace": id, "client_id": trace.client, "client_name": trace.name, "network": with_bits(&trace.network), "attempts": attempts,
        "steps_not_kept": trace.dropped,
    })
}

fn shown(step: &Step) -> Value {
    let said = &step.said;
    let result = match said.verdict {
        Verdict::Done => "done",
        Verdict::Pending => "pending",
        Verdict::Failed => "failed",
    };
    let mut shown = json!({
        "at": step.at.iso(), "step": word(said.stage), "result": result, "status": said.status, "times": step.times, "sent": said.sent,
    });
    if let Value::Object(fields) = &mut shown {
        let more = [("error", &said.code), ("check", &said.reason), ("expected", &said.expected), ("hint", &said.hint)];
        fields.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))));
        fields.extend((step.times > 1).then(|| ("last".to_owned(), step.last.iso().into())));
    }
    shown
}
