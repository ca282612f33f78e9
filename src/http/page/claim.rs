//! An agent asks to act for a person.

use askama::Template;

use super::Frame;

/// What an agent asks for, and the person's answer: a code typed (`user_code` to `/agent/identity/claim/complete`), a code to tell the
/// agent (`/claim/code`), or no (`/claim/deny`). All of them post `claim_attempt_token`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/claim_request.html")]
pub struct ClaimRequest<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The claim attempt's token.
    pub token: &'a str,
    /// What the agent calls itself. Nobody has checked it, and the page says so.
    pub agent: Option<&'a str>,
    /// The registration's name.
    pub registration: &'a str,
    /// When it registered, as people read it.
    pub registered: String,
    /// Who vouches for the agent, as far as we have checked it.
    pub provider: Option<ProviderView<'a>>,
    /// The person has allowed no agent of this provider before.
    pub first_time_provider: bool,
    /// There is no account for this address yet.
    pub first_time_account: bool,
    /// What is granted.
    pub scopes: Vec<ScopeView<'a>>,
    /// The person may type the code that the agent shows.
    pub typed: bool,
    /// The person may get a code to tell the agent.
    pub relay: bool,
    /// What was wrong with the last try, as a sentence.
    pub problem: Option<&'a str>,
    /// There is no session: having the mailed link is the proof for this address.
    pub as_mail: Option<&'a str>,
}

impl ClaimRequest<'_> {
    /// Whom the agent would act for.
    #[must_use]
    pub fn person(&self) -> &str {
        self.as_mail.or(self.frame.signed_in).unwrap_or_default()
    }
}

/// A provider of agents, in our words and not in its own.
#[derive(Clone, Debug)]
pub struct ProviderView<'a> {
    /// The name in our configuration.
    pub name: &'a str,
    /// Its issuer URL.
    pub issuer: &'a str,
    /// The path of ours that its logo is at.
    pub logo: Option<String>,
}

/// A scope.
#[derive(Clone, Debug)]
pub struct ScopeView<'a> {
    /// As in tokens.
    pub name: &'a str,
    /// What it allows, in words; may be empty.
    pub words: String,
}

/// The code that the person reads to the agent.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/claim_code.html")]
pub struct ClaimCode<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// Six digits.
    pub code: String,
    /// The claim attempt's token, to deny after all.
    pub token: &'a str,
    /// How long the code works.
    pub minutes: u64,
    /// What the agent calls itself.
    pub agent: Option<&'a str>,
}

impl ClaimCode<'_> {
    /// The code in groups of three, so that eyes can keep it.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let characters: Vec<char> = self.code.chars().collect();
        characters.chunks(3).map(|group| group.iter().collect()).collect()
    }

    /// The code digit by digit, for voices: `1 2 3, 4 5 6`.
    #[must_use]
    pub fn spelled(&self) -> String {
        let spelled = |group: String| group.chars().map(String::from).collect::<Vec<_>>().join(" ");
        self.groups().into_iter().map(spelled).collect::<Vec<_>>().join(", ")
    }

    /// How long the code works, in words.
    #[must_use]
    pub fn life(&self) -> String {
        if self.minutes == 1 { "a minute".to_owned() } else { format!("{} minutes", self.minutes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_for_eyes_and_for_voices() {
        let frame = Frame { service: "", has_logo: false, csrf: String::new(), signed_in: None, development: false, nonce: String::new() };
        let mut page = ClaimCode { frame, code: "012345".into(), token: "", minutes: 10, agent: None };
        assert_eq!(page.groups(), ["012", "345"]);
        assert_eq!(page.spelled(), "0 1 2, 3 4 5");
        assert_eq!(page.life(), "10 minutes");
        page.minutes = 1;
        assert_eq!(page.life(), "a minute");
    }
}
