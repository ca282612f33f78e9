//! The connection trace, for the operator. What clients have sent is in here, cleaned; nobody has checked it.

use askama::Template;

use super::Frame;
use crate::machine::trace::{Entry, Progress, Sent, Stage, Step, Trace, Verdict, progress};
use crate::network::with_bits;
use crate::time::Timestamp;

/// Asks for the operator's key. Posts `key` to `/operator/traces`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/operator_key.html")]
pub struct OperatorKey<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What was wrong with the last try, as a sentence.
    pub problem: Option<&'a str>,
}

/// The newest traces.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/traces.html")]
pub struct TraceList<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The client that is looked for; may be empty.
    pub client: &'a str,
    /// The outcome that is looked for; may be empty.
    pub outcome: &'a str,
    /// Newest first.
    pub traces: Vec<TraceRow<'a>>,
    /// Where older ones are.
    pub more: Option<String>,
    /// Steps that were too many to be kept.
    pub missed: u32,
    /// Nothing new is kept.
    pub off: bool,
}

impl TraceList<'_> {
    /// What can be looked for: the value, the words, and whether it is.
    #[must_use]
    pub fn outcomes(&self) -> Vec<(&'static str, &'static str, bool)> {
        let all =
            [("", "All"), ("failed", "Refused"), ("started", "Under way"), ("token_issued", "Has a token"), ("connected", "Connected")];
        all.map(|(value, words)| (value, words, value == self.outcome)).into()
    }
}

/// A trace in the list.
#[derive(Clone, Debug)]
pub struct TraceRow<'a> {
    /// Its name.
    pub id: &'a str,
    /// The client.
    pub client: Option<&'a str>,
    /// What the client calls itself.
    pub name: Option<&'a str>,
    /// Where it comes from.
    pub network: String,
    /// How far the newest attempt has come.
    pub state: State<'a>,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the newest last came further.
    pub at: String,
}

impl<'a> TraceRow<'a> {
    /// That of `id`.
    #[must_use]
    pub fn new(id: &'a str, entry: &'a Entry) -> Self {
        Self {
            id,
            client: entry.client.as_deref(),
            name: entry.name.as_deref(),
            network: with_bits(&entry.network),
            state: State::new(entry.progress, entry.check.as_deref()),
            attempts: entry.attempt,
            at: clock(entry.at),
        }
    }
}

/// How something ended, or stands.
#[derive(Clone, Debug)]
pub struct State<'a> {
    /// In words.
    pub words: &'static str,
    /// The class in the style sheet.
    pub class: &'static str,
    /// The error code.
    pub check: Option<&'a str>,
}

impl<'a> State<'a> {
    fn new(progress: Progress, check: Option<&'a str>) -> Self {
        let (words, class) = match progress {
            Progress::Started => ("under way", "plain"),
            Progress::Issued => ("has a token", "good"),
            Progress::Connected => ("connected", "good"),
            Progress::Failed => ("refused", "bad"),
        };
        Self { words, class, check }
    }
}

/// One trace.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/trace.html")]
pub struct TracePage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// Its name.
    pub id: &'a str,
    /// The client.
    pub client: Option<&'a str>,
    /// What the client calls itself.
    pub name: Option<&'a str>,
    /// Where it comes from.
    pub network: String,
    /// The list of all traces of this client: a service calls from its own network, its person's browser from another.
    pub same: Option<String>,
    /// Newest first.
    pub attempts: Vec<AttemptView<'a>>,
    /// Steps that are not kept.
    pub dropped: u32,
}

/// An attempt.
#[derive(Clone, Debug)]
pub struct AttemptView<'a> {
    /// Its number.
    pub number: u32,
    /// How it ended, or stands; the check is its own.
    pub state: State<'a>,
    /// In order.
    pub steps: Vec<StepView<'a>>,
}

/// A step.
#[derive(Clone, Debug)]
pub struct StepView<'a> {
    /// When.
    pub at: String,
    /// How often, and when last, if more than once.
    pub again: Option<(u32, String)>,
    /// What the client did, in words.
    pub words: &'static str,
    /// What came of it; the check is the error code.
    pub state: State<'a>,
    /// HTTP status.
    pub status: u16,
    /// The check that failed.
    pub reason: Option<&'a str>,
    /// What the client should do.
    pub hint: Option<&'a str>,
    /// What it should have sent.
    pub expected: Option<&'a str>,
    /// What it sent.
    pub sent: &'a [Sent],
}

impl<'a> TracePage<'a> {
    /// That of `id`.
    #[must_use]
    pub fn new(frame: Frame<'a>, id: &'a str, trace: &'a Trace) -> Self {
        let query = |client: &String| url::form_urlencoded::byte_serialize(client.as_bytes()).collect::<String>();
        let attempts = trace.steps.chunk_by(|one, next| one.attempt == next.attempt).rev().map(AttemptView::new).collect();
        Self {
            frame,
            id,
            client: trace.client.as_deref(),
            name: trace.name.as_deref(),
            network: with_bits(&trace.network),
            same: trace.client.as_ref().map(|client| format!("/operator/traces?client_id={}", query(client))),
            attempts,
            dropped: trace.dropped,
        }
    }
}

impl<'a> AttemptView<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let (progress, _) = progress(steps);
        let number = steps.first().map_or(0, |step| step.attempt);
        Self { number, state: State::new(progress, None), steps: steps.iter().map(StepView::new).collect() }
    }
}

impl<'a> StepView<'a> {
    fn new(step: &'a Step) -> Self {
        let said = &step.said;
        let words = match said.stage {
            Stage::Discovery => "Looked for metadata",
            Stage::Registration => "Registered",
            Stage::Push => "Pushed its authorization request",
            Stage::Authorization => "Sent a person to authorize it",
            Stage::Device => "Asked for a device code",
            Stage::Approval => "A person answered",
            Stage::Token => "Asked for a token",
            Stage::Call => "Called the API",
        };
        let (verdict, class) = match said.verdict {
            Verdict::Done => ("done", "good"),
            Verdict::Pending => ("has to ask again", "plain"),
            Verdict::Failed => ("refused", "bad"),
        };
        Self {
            at: clock(step.at),
            again: (step.times > 1).then(|| (step.times, clock(step.last))),
            words,
            state: State { words: verdict, class, check: said.code.as_deref() },
            status: said.status,
            reason: said.reason.as_deref(),
            hint: said.hint.as_deref(),
            expected: said.expected.as_deref(),
            sent: &said.sent,
        }
    }
}

/// A moment to the second.
fn clock(at: Timestamp) -> String {
    at.iso().map_or_else(String::new, |iso| format!("{} {} UTC", iso.get(..10).unwrap_or_default(), iso.get(11..19).unwrap_or_default()))
}
