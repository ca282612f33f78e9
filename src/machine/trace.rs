//! A client's attempts to connect from one network, step by step: for the operator, and for a day.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::time::{Timestamp, Ttl};

/// An attempt is over so long after its first step: what comes then is another.
pub const ATTEMPT: Ttl = Ttl::from_seconds(3600);
/// For so long after its last step a trace is kept.
pub const KEPT: Ttl = Ttl::from_seconds(86400);
/// Steps of a trace; older ones are dropped and counted.
pub const MOST_STEPS: usize = 40;

/// What one client did from one network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// `client_id`, or the registration; none if no step named one.
    pub client: Option<String>,
    /// What the client calls itself.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it comes from.
    pub network: String,
    /// The number of the newest attempt.
    pub attempt: u32,
    /// When the newest attempt began.
    pub began: Timestamp,
    /// How far the newest attempt has come.
    pub progress: Progress,
    /// The error that it failed with, if it did.
    pub check: Option<String>,
    /// Oldest first, those of earlier attempts too.
    pub steps: Vec<Step>,
    /// Steps that are not kept.
    pub dropped: u32,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// It is under way.
    Started,
    /// The client has a token.
    Issued,
    /// It has called a resource of ours: nothing can take that back.
    Connected,
    /// Its last step was refused.
    Failed,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It was carried out.
    Done,
    /// Somebody has to do something first; the client asks again.
    Pending,
    /// It was refused.
    Failed,
}

/// Where on the way a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Looking for metadata.
    Discovery,
    /// Registering.
    Registration,
    /// Pushing an authorization request (RFC 9126).
    Push,
    /// Asking a person through the browser.
    Authorization,
    /// Asking a person through another device (RFC 8628).
    Device,
    /// A person answers: a client, or a device, and then it is not known which.
    Approval,
    /// The token endpoint.
    Token,
    /// Calling a resource of ours.
    Call,
}

/// One step, or several that were all the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The attempt that it belongs to.
    pub attempt: u32,
    /// When it happened first.
    pub at: Timestamp,
    /// When it happened last.
    pub last: Timestamp,
    /// How often.
    pub times: u32,
    /// What happened.
    pub said: Said,
}

/// What happened in a step. No secret is in it: whoever makes it sees to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Where on the way.
    pub stage: Stage,
    /// What came of it.
    pub verdict: Verdict,
    /// HTTP status.
    pub status: u16,
    /// The error code, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The check that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the client should do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What it should have sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What it sent.
    pub sent: Vec<Sent>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its name.
    pub name: String,
    /// Its value, if that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How many characters it has, if the value may not be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
}

/// What can be asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// One more step.
    Add(Box<Add>),
    /// Shows it.
    Look,
}

/// One more step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Add {
    /// What happened.
    pub said: Said,
    /// Whether an attempt can begin with it; if not, it is kept only where one is there already.
    pub begins: bool,
    /// As in [`Trace`].
    pub client: Option<String>,
    /// As in [`Trace`].
    pub name: Option<String>,
    /// As in [`Trace`].
    pub network: String,
    /// Steps before it that were too many to be kept.
    pub missed: u32,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// There is no attempt that the step could belong to, or nothing to show.
    Nothing,
    /// It is kept.
    Kept,
    /// It is kept, and an attempt has begun or come further: what a list says of it now.
    Changed(Entry),
    /// All of it.
    Trace(Box<Trace>),
}

/// What a list says of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// As in [`Trace`].
    pub client: Option<String>,
    /// As in [`Trace`].
    #[serde(default)]
    pub name: Option<String>,
    /// As in [`Trace`].
    pub network: String,
    /// As in [`Trace`].
    pub attempt: u32,
    /// As in [`Trace`].
    pub began: Timestamp,
    /// When the attempt last came further.
    pub at: Timestamp,
    /// As in [`Trace`].
    pub progress: Progress,
    /// As in [`Trace`].
    pub check: Option<String>,
}

impl Machine for Trace {
    const KIND: &'static str = "trace";
    type Id = String;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match (command, state) {
            (Command::Look, None) => (Next::Keep, Outcome::Nothing),
            (Command::Look, Some(trace)) => (Next::Keep, Outcome::Trace(Box::new(trace))),
            (Command::Add(add), state) => {
                let open = state.as_ref().is_some_and(|trace| trace.is_open(&add, now));
                match state {
                    Some(trace) if open => trace.add(*add, false, now),
                    _ if !add.begins => (Next::Keep, Outcome::Nothing),
                    Some(trace) => trace.add(*add, true, now),
                    None => Self::new(&add, now).add(*add, true, now),
                }
            }
        }
    }
}

impl Trace {
    fn new(add: &Add, now: Timestamp) -> Self {
        let (client, name, network) = (add.client.clone(), None, add.network.clone());
        let (steps, progress, check) = (Vec::new(), Progress::Started, None);
        Self { client, name, network, attempt: 0, began: now, progress, check, steps, dropped: 0 }
    }

    /// Whether the newest attempt goes on with this step: one that has connected is complete.
    fn is_open(&self, add: &Add, now: Timestamp) -> bool {
        now < self.began.plus(ATTEMPT) && !(add.begins && self.progress == Progress::Connected)
    }

    fn add(mut self, add: Add, anew: bool, now: Timestamp) -> (Next<Self>, Outcome) {
        if anew {
            (self.attempt, self.began) = (self.attempt.saturating_add(1), now);
            (self.progress, self.check) = (Progress::Started, None);
        }
        let before = (self.progress, self.check.clone());
        (self.progress, self.check) = after((self.progress, self.check), &add.said);
        self.name = add.name.or(self.name);
        self.dropped = self.dropped.saturating_add(add.missed);
        match self.steps.last_mut() {
            Some(step) if step.attempt == self.attempt && step.said == add.said => {
                (step.last, step.times) = (now, step.times.saturating_add(1));
            }
            _ => self.steps.push(Step { attempt: self.attempt, at: now, last: now, times: 1, said: add.said }),
        }
        let surplus = self.steps.len().saturating_sub(MOST_STEPS);
        self.steps.drain(..surplus);
        self.dropped = self.dropped.saturating_add(u32::try_from(surplus).unwrap_or(u32::MAX));
        let changed = anew || before != (self.progress, self.check.clone());
        let outcome = if changed { Outcome::Changed(self.entry(now)) } else { Outcome::Kept };
        (Next::Put(self, now.plus(KEPT)), outcome)
    }

    fn entry(&self, now: Timestamp) -> Entry {
        Entry {
            client: self.client.clone(),
            name: self.name.clone(),
            network: self.network.clone(),
            attempt: self.attempt,
            began: self.began,
            at: now,
            progress: self.progress,
            check: self.check.clone(),
        }
    }
}

/// How far an attempt of these steps has come, and the error that it failed with.
#[must_use]
pub fn progress(steps: &[Step]) -> (Progress, Option<String>) {
    steps.iter().fold((Progress::Started, None), |before, step| after(before, &step.said))
}

fn after(before: (Progress, Option<String>), said: &Said) -> (Progress, Option<String>) {
    match (said.verdict, said.stage) {
        _ if before.0 == Progress::Connected => before,
        (Verdict::Failed, _) => (Progress::Failed, said.code.clone()),
        (Verdict::Done, Stage::Call) => (Progress::Connected, None),
        (Verdict::Done, Stage::Token) => (Progress::Issued, None),
        _ => (Progress::Started, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};

    struct Kept(Option<Record<Trace>>);

    impl Kept {
        fn run(&mut self, seconds: u64, stage: Stage, verdict: Verdict, begins: bool) -> Outcome {
            let code = (verdict == Verdict::Failed).then(|| "invalid_grant".to_owned());
            let said = Said { stage, verdict, status: 200, code, reason: None, hint: None, expected: None, sent: Vec::new() };
            let add = Add { said, begins, client: Some("c".into()), name: None, network: "192.0.2.0".into(), missed: 0 };
            let (change, outcome) = advance(self.0.clone(), Command::Add(Box::new(add)), Timestamp::from_seconds(seconds as i64));
            if let Change::Write(record) = change {
                self.0 = Some(record);
            }
            outcome
        }

        fn trace(&self) -> &Trace {
            &self.0.as_ref().unwrap().state
        }
    }

    #[test]
    fn an_attempt_goes_on_for_an_hour_and_ends_with_a_call() {
        let mut kept = Kept(None);
        assert!(matches!(kept.run(0, Stage::Call, Verdict::Done, false), Outcome::Nothing));
        assert!(matches!(kept.run(0, Stage::Registration, Verdict::Done, true), Outcome::Changed(_)));
        assert!(matches!(kept.run(1, Stage::Authorization, Verdict::Done, true), Outcome::Kept));
        let Outcome::Changed(entry) = kept.run(2, Stage::Token, Verdict::Failed, true) else { panic!() };
        assert_eq!((entry.progress, entry.check.as_deref(), entry.attempt), (Progress::Failed, Some("invalid_grant"), 1));
        assert!(matches!(kept.run(3, Stage::Token, Verdict::Failed, true), Outcome::Kept));
        assert_eq!((kept.trace().steps.len(), kept.trace().steps[2].times), (3, 2), "the same again is no step more");
        assert!(matches!(kept.run(4, Stage::Token, Verdict::Done, true), Outcome::Changed(Entry { progress: Progress::Issued, .. })));
        assert!(matches!(kept.run(5, Stage::Call, Verdict::Done, false), Outcome::Changed(Entry { progress: Progress::Connected, .. })));
        assert!(matches!(kept.run(6, Stage::Call, Verdict::Failed, false), Outcome::Kept), "it has connected");
        assert!(matches!(kept.run(7, Stage::Token, Verdict::Failed, true), Outcome::Changed(Entry { attempt: 2, .. })));
        assert!(matches!(kept.run(3607, Stage::Token, Verdict::Done, false), Outcome::Nothing), "an hour later it is over");
        assert!(matches!(kept.run(3607, Stage::Token, Verdict::Failed, true), Outcome::Changed(Entry { attempt: 3, .. })));
        assert!(matches!(kept.run(3607 + 86400, Stage::Call, Verdict::Done, false), Outcome::Nothing), "a day later it is gone");
    }

    #[test]
    fn steps_are_bounded_and_counted() {
        let mut kept = Kept(None);
        for second in 0..50 {
            let verdict = if second % 2 == 0 { Verdict::Failed } else { Verdict::Done };
            kept.run(second, Stage::Authorization, verdict, true);
        }
        assert_eq!((kept.trace().steps.len(), kept.trace().dropped), (MOST_STEPS, 10));
    }
}
