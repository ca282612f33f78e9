//! The operator's pages, in every state.

use askama::Template;
use postern::http::page::{OperatorKey, TraceList, TracePage, TraceRow};
use postern::machine::trace::{Entry, Progress, Said, Sent, Stage, Step, Trace, Verdict};

use crate::pages::Words;
use crate::world::START;

pub fn traces(words: &Words, show: &mut dyn FnMut(&str, String)) {
    show("operator-key", OperatorKey { frame: words.frame(false), problem: None }.render().unwrap());
    show("operator-key-problem", OperatorKey { frame: words.frame(false), problem: Some(&words.sentence) }.render().unwrap());

    let entry = |progress, check: Option<&str>| Entry {
        client: (progress != Progress::Started).then(|| words.name.clone()),
        name: Some(words.name.clone()),
        network: "203.0.113.0".into(),
        attempt: 2,
        began: START,
        at: START,
        progress,
        check: check.map(str::to_owned),
    };
    let entries = [
        entry(Progress::Failed, Some("invalid_grant")),
        entry(Progress::Started, None),
        entry(Progress::Issued, None),
        entry(Progress::Connected, None),
    ];
    let rows = entries.iter().map(|entry| TraceRow::new("4rXkq9Zt2B", entry)).collect();
    let list = TraceList {
        frame: words.frame(false),
        client: &words.name,
        outcome: "failed",
        traces: rows,
        more: Some("/operator/traces?before=1".into()),
        missed: 7,
        off: true,
    };
    show("traces", list.render().unwrap());
    let none = TraceList { client: "", outcome: "", traces: Vec::new(), more: None, missed: 0, off: false, ..list };
    show("traces-none", none.render().unwrap());

    let sent = |name: &str, value: Option<&str>, length| Sent { name: name.into(), value: value.map(str::to_owned), length };
    let said = Said {
        stage: Stage::Token,
        verdict: Verdict::Failed,
        status: 400,
        code: Some("invalid_grant".into()),
        reason: Some(words.sentence.clone()),
        hint: Some(words.sentence.clone()),
        expected: Some(words.name.clone()),
        sent: vec![
            sent("redirect_uri", Some(&words.path), None),
            sent("code", None, Some(43)),
            sent(&words.token, Some(&words.token), None),
            sent("3 others", None, None),
        ],
    };
    let plain = |stage, verdict| Said { stage, verdict, reason: None, hint: None, expected: None, code: None, ..said.clone() };
    let step = |attempt, times, said| Step { attempt, at: START, last: START, times, said };
    let trace = Trace {
        client: Some(words.name.clone()),
        name: Some(words.name.clone()),
        network: "203.0.113.0".into(),
        attempt: 2,
        began: START,
        progress: Progress::Failed,
        check: Some("invalid_grant".into()),
        steps: vec![
            step(1, 1, plain(Stage::Registration, Verdict::Done)),
            step(1, 1, plain(Stage::Authorization, Verdict::Done)),
            step(1, 1, plain(Stage::Token, Verdict::Done)),
            step(1, 1, plain(Stage::Call, Verdict::Done)),
            step(2, 9, plain(Stage::Device, Verdict::Pending)),
            step(2, 1, plain(Stage::Push, Verdict::Done)),
            step(2, 3, said.clone()),
        ],
        dropped: 5,
    };
    show("trace", TracePage::new(words.frame(false), "4rXkq9Zt2B", &trace).render().unwrap());
    let steps = vec![step(1, 1, plain(Stage::Discovery, Verdict::Failed))];
    let nameless = Trace { client: None, name: None, steps, dropped: 0, ..trace };
    show("trace-nameless", TracePage::new(words.frame(false), "4rXkq9Zt2B", &nameless).render().unwrap());
}
