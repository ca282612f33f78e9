//! Every page in every state, with friendly values and with hostile ones. `PAGES=1 cargo test --test it pages` leaves them in
//! `target/pages` to be looked at.

use std::path::Path;

use askama::Template;
use postern::http::page::{
    ClaimCode, ClaimRequest, ConsentPage, DevicePage, DeviceRequest, Frame, Known, Link, Login, LoginCode, LoginLink, LogoutPage, Message,
    ProviderView, Rejected, ScopeView, Tone, UpstreamView,
};

use crate::markup::{Element, read};
use crate::pages_account::{account, below, making};
use crate::pages_trace::traces;
use crate::world::World;

/// The values that a set of pages is rendered with.
pub struct Words {
    pub set: &'static str,
    pub service: String,
    pub name: String,
    pub email: String,
    pub sentence: String,
    pub path: String,
    pub scopes: String,
    pub token: String,
}

impl Words {
    pub fn friendly() -> Self {
        Self {
            set: "friendly",
            service: "Example".into(),
            name: "claude-code".into(),
            email: "ada@example.com".into(),
            sentence: "This code is not the one from the mail. Look again, or have another one sent.".into(),
            path: "/account".into(),
            scopes: "api.read api.write".into(),
            token: "Zm9vYmFyYmF6cXV4".into(),
        }
    }

    pub fn hostile() -> Self {
        let evil = "\"><script>alert('x')</script><img src=x onerror=alert(1)>' onfocus='alert(2)";
        Self {
            set: "hostile",
            service: format!("Ex{evil}"),
            name: format!("{evil} \u{202e}סוכן חכם مساعد"),
            email: format!("{}\"<b>'@example.com", "a".repeat(200)),
            sentence: format!("{evil} {}", "W".repeat(200)),
            path: "/x\"onmouseover=\"alert(3)".into(),
            scopes: format!("api.{}{evil}", "x".repeat(200)),
            token: "\"/><form action=\"https://evil.example\">".into(),
        }
    }

    pub fn long() -> Self {
        Self {
            set: "long",
            service: "The Very Long Named Cooperative Bank of Lower Saxony and Bremen".into(),
            name: "Agent".repeat(40),
            email: format!("{}@a-rather-long-host-name.department.example.com", "firstname.lastname".repeat(3)),
            sentence: "Nothing here is short, and yet all of it must be seen. ".repeat(6),
            path: format!("/oauth2/authorize?state={}", "s".repeat(300)),
            scopes: (0..20).map(|index| format!("files.folder{index}.write")).collect::<Vec<_>>().join(" "),
            token: "t".repeat(300),
        }
    }

    pub fn frame(&self, signed_in: bool) -> Frame<'_> {
        Frame {
            service: &self.service,
            has_logo: self.set == "long",
            csrf: self.token.clone(),
            signed_in: signed_in.then_some(self.email.as_str()),
            development: self.set == "long",
            nonce: "bm9uY2U".into(),
        }
    }
}

fn login(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let plain = Login {
        frame: words.frame(false),
        email: "",
        return_to: &words.path,
        problem: None,
        purpose: None,
        fresh: false,
        providers: Vec::new(),
    };
    show("login", plain.render().unwrap());
    let purpose = Some("An agent asks to act for you. Sign in to see its request.");
    show("login-purpose", Login { purpose, ..plain.clone() }.render().unwrap());
    show("login-problem", Login { email: &words.email, problem: Some(&words.sentence), ..plain.clone() }.render().unwrap());
    let view = |logo: Option<&str>| UpstreamView { name: &words.name, issuer: &words.token, logo: logo.map(str::to_owned) };
    show("login-providers", Login { providers: vec![view(None), view(Some("/logo/64"))], ..plain.clone() }.render().unwrap());
    show("login-fresh", Login { frame: words.frame(true), email: &words.email, fresh: true, ..plain }.render().unwrap());
    let code = LoginCode { frame: words.frame(false), email: &words.email, login: &words.token, return_to: &words.path, problem: None };
    show("code", code.render().unwrap());
    show("code-problem", LoginCode { problem: Some(&words.sentence), ..code }.render().unwrap());
    let question =
        Link { frame: words.frame(true), provider: &words.name, issuer: &words.token, there: Some(&words.email), token: &words.token };
    show("link-question", question.render().unwrap());
    show("link-question-nameless", Link { there: None, ..question }.render().unwrap());
    show("link", LoginLink { frame: words.frame(false), email: &words.email, token: &words.token }.render().unwrap());
}

fn claim(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let provider = ProviderView { name: &words.name, issuer: "https://agents.example.net", logo: Some("/icon.svg".into()) };
    let scope = |name| ScopeView { name, words: words.sentence.clone() };
    let friendly = vec![
        ScopeView { name: "api.read", words: "Read what you can read".into() },
        ScopeView { name: "api.write", words: "Change what you can change".into() },
    ];
    let typed = ClaimRequest {
        frame: words.frame(true),
        token: &words.token,
        agent: Some(&words.name),
        registration: "reg_7Nq2vXw9KcLm4RtY8ZpB1D",
        registered: "2026-11-22 14:03 UTC".into(),
        provider: None,
        first_time_provider: false,
        first_time_account: false,
        scopes: if words.set == "friendly" { friendly } else { words.scopes.split(' ').map(scope).collect() },
        typed: true,
        relay: false,
        problem: None,
        as_mail: None,
    };
    show("claim-typed", typed.render().unwrap());
    show("claim-problem", ClaimRequest { problem: Some(&words.sentence), ..typed.clone() }.render().unwrap());
    let provided = ClaimRequest { provider: Some(provider), first_time_provider: true, ..typed.clone() };
    show("claim-provider", ClaimRequest { relay: true, ..provided.clone() }.render().unwrap());
    let relay = ClaimRequest { typed: false, relay: true, agent: None, ..typed.clone() };
    show("claim-relay", relay.render().unwrap());
    let mailed = ClaimRequest { frame: words.frame(false), as_mail: Some(&words.email), first_time_account: true, ..relay };
    show("claim-mail", mailed.render().unwrap());
    show("claim-neither", ClaimRequest { typed: false, ..provided }.render().unwrap());
    let code = ClaimCode { frame: words.frame(true), code: "012345".into(), token: &words.token, minutes: 10, agent: Some(&words.name) };
    show("claim-code", code.render().unwrap());
    show("claim-code-nameless", ClaimCode { agent: None, minutes: 1, ..code }.render().unwrap());
}

fn message(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let good = Message {
        frame: words.frame(true),
        tone: Tone::Good,
        title: "The agent may act for you",
        text: "Go back to your agent: it goes on by itself. You can close this page.",
        action: Some(("See your agents", &words.path)),
        switch: None,
        reference: None,
    };
    show("message-good", good.render().unwrap());
    let reference = Some(words.token.as_str());
    let bad = Message { tone: Tone::Bad, title: &words.name, text: &words.sentence, reference, ..good.clone() };
    show("message-bad", bad.render().unwrap());
    let switch = Some(words.path.as_str());
    let text = "It was sent to another address than the one that you are signed in with.";
    let plain = Message { tone: Tone::Plain, title: "This request is for somebody else", text, action: None, switch, ..good };
    show("message-switch", plain.render().unwrap());
    show("message-both", Message { action: Some((&words.name, "/")), ..plain }.render().unwrap());
}

fn device(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let plain = DevicePage { frame: words.frame(true), code: "", problem: None };
    show("device", plain.render().unwrap());
    show("device-problem", DevicePage { code: &words.name, problem: Some(&words.sentence), ..plain }.render().unwrap());
    let request = DeviceRequest {
        frame: words.frame(true),
        code: ("BCDF", "GHJK"),
        device: "dev_7Nq2vXw9KcLm4RtY8ZpB1D",
        seal: words.token.clone(),
        name: Some(&words.name),
        known: Known::Registered,
        client_id: &words.path,
        network: Some("203.0.113.0/24".into()),
        same_network: false,
        agent: Some(&words.sentence),
        at: "2026-11-22 14:03 UTC".into(),
        person: &words.email,
        resource: &words.path,
        resource_name: Some(&words.service),
        scopes: words.scopes.split(' ').map(|name| ScopeView { name, words: words.sentence.clone() }).collect(),
        again: &words.path,
    };
    show("device-request", request.render().unwrap());
    let document = DeviceRequest { known: Known::Document(&words.email), same_network: true, name: None, ..request.clone() };
    show("device-request-document", document.render().unwrap());
    let operator = DeviceRequest { known: Known::Operator, network: None, agent: None, resource_name: None, ..request };
    show("device-request-operator", operator.render().unwrap());
}

fn consent(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let plain = ConsentPage {
        frame: words.frame(true),
        request: words.token.clone(),
        name: Some(&words.name),
        known: Known::Registered,
        client_id: &words.path,
        redirect_host: "client.example",
        on_device: false,
        elsewhere: false,
        person: &words.email,
        resource: &words.path,
        resource_name: Some(&words.service),
        scopes: words.scopes.split(' ').map(|name| ScopeView { name, words: words.sentence.clone() }).collect(),
        fresh: words.scopes.split(' ').take(1).collect(),
        before: None,
        again: &words.path,
    };
    show("consent", plain.render().unwrap());
    let scheme = ConsentPage { redirect_host: "cursor:", on_device: true, known: Known::Operator, ..plain.clone() };
    show("consent-device", scheme.render().unwrap());
    let elsewhere = ConsentPage { elsewhere: true, known: Known::Document(&words.email), name: None, ..plain.clone() };
    let html = elsewhere.render().unwrap();
    assert!(html.contains("not a host of its publisher"));
    show("consent-elsewhere", html);
    show("consent-again", ConsentPage { before: Some("2026-11-22 14:03 UTC".into()), resource_name: None, ..plain }.render().unwrap());
    let rejected = Rejected {
        frame: words.frame(false),
        title: "The application asks to send you somewhere it did not register",
        text: &words.sentence,
        known: Some(Known::Document(&words.email)),
        name: Some(&words.name),
        client_id: &words.path,
        sent: Some(&words.token),
        registered: vec!["client.example", "cursor:"],
        reference: Some("4rXkq9Zt2B"),
        back: Some(("client.example", "https://client.example/cb?error=invalid_request")),
        resets: &[("Codex", "Run `codex mcp logout <b>` with the server’s name, then `codex mcp login`.")],
    };
    let html = rejected.render().unwrap();
    assert!(
        html.contains("<dd>Run <code>codex mcp logout &#60;b&#62;</code> with the server’s name, then <code>codex mcp login</code>.</dd>")
    );
    show("rejected", html);
    let bare =
        Rejected { known: None, name: None, client_id: "", sent: None, registered: Vec::new(), reference: None, resets: &[], ..rejected };
    show("rejected-bare", bare.render().unwrap());
    let logout = LogoutPage {
        frame: words.frame(true),
        person: &words.email,
        name: Some(&words.name),
        client_id: Some(&words.path),
        target: Some(&words.path),
        host: Some("client.example"),
        state: &words.token,
    };
    show("logout", logout.render().unwrap());
    show("logout-bare", LogoutPage { name: None, client_id: None, target: None, host: None, state: "", ..logout }.render().unwrap());
}

/// What holds for every page, whatever is in it.
fn check(name: &str, html: &str) {
    let elements = read(html);
    let all = |tag: &str| elements.iter().filter(|element| element.name == tag).collect::<Vec<_>>();
    for tag in ["h1", "main", "header", "footer", "title"] {
        assert_eq!(all(tag).len(), 1, "{name}: <{tag}>");
    }
    assert_eq!(all("html")[0].get("lang"), Some("en"));
    assert!(all("style").is_empty() && all("iframe").is_empty() && all("object").is_empty(), "{name}");
    for script in all("script") {
        assert_eq!((script.get("src"), script.get("nonce"), script.text.as_str()), (Some("/passkey.js"), Some("bm9uY2U"), ""), "{name}");
    }
    let ids: Vec<&str> = elements.iter().filter_map(|element| element.get("id")).collect();
    for element in &elements {
        for (attribute, value) in &element.attributes {
            assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {attribute} of <{}>", element.name);
            if ["src", "href", "action"].contains(&attribute.as_str()) {
                // The one way out: a button to the client that sent the person here.
                let back = name.starts_with("rejected") && element.name == "a" && value.starts_with("https://client.example/cb?");
                assert!(back || (value.starts_with('/') && !value.starts_with("//")), "{name}: {value} is not ours");
            }
            if ["for", "aria-labelledby", "aria-describedby"].contains(&attribute.as_str()) {
                assert!(value.split(' ').all(|id| ids.contains(&id)), "{name}: nothing is called {value}");
            }
        }
    }
    assert!(ids.iter().all(|id| ids.iter().filter(|other| other == &id).count() == 1), "{name}: an id stands twice");
    // A form that only looks for something needs no token, and must not send one.
    let looks = all("form").into_iter().filter(|form| form.get("method") == Some("get")).count();
    let posts = all("form").into_iter().filter(|form| form.get("data-passkey").is_none() && form.get("method") != Some("get"));
    let posts = posts.collect::<Vec<_>>();
    assert!(looks == 0 || name.starts_with("traces"), "{name}: a form that does not post");
    assert!(posts.iter().all(|form| form.get("method") == Some("post")), "{name}: a form that does not post");
    let named = |wanted: &str| all("input").into_iter().filter(|input| input.get("name") == Some(wanted)).count();
    assert_eq!(named("csrf"), posts.len(), "{name}: every form has the token");
    let labelled = |input: &&Element| all("label").iter().any(|label| label.get("for") == input.get("id"));
    let seen = all("input").into_iter().chain(all("select")).filter(|input| input.get("type") != Some("hidden")).collect::<Vec<_>>();
    assert!(seen.iter().all(labelled), "{name}: an input without a label");
    let has_problem = elements.iter().any(|element| element.get("role") == Some("alert"));
    assert_eq!(all("title")[0].text.starts_with("Error: "), has_problem, "{name}: the title tells of a problem");
}

/// Nothing that was put in gets out as markup: [`read`] and [`check`] would see elements and attributes, this sees the rest.
pub fn check_hostile(name: &str, html: &str) {
    for raw in ["<script>", "<img src=x", "<b>", "action=\"https:", "\"onmouseover", "' onfocus"] {
        assert!(!html.contains(raw), "{name}: {raw}");
    }
}

pub fn keep(name: &str, html: &str) {
    if std::env::var_os("PAGES").is_some() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pages");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), html).unwrap();
    }
}

#[test]
fn every_page_in_every_state() {
    for words in [Words::friendly(), Words::hostile(), Words::long()] {
        let mut shown = 0;
        let mut show = |page: &str, html: String| {
            let name = format!("{page}.{}.html", words.set);
            keep(&name, &html);
            check(&name, &html);
            check_hostile(&name, &html);
            shown += 1;
        };
        login(&words, &mut show);
        claim(&words, &mut show);
        message(&words, &mut show);
        device(&words, &mut show);
        consent(&words, &mut show);
        account(&words, &mut show);
        making(&words, &mut show);
        below(&words, &mut show);
        traces(&words, &mut show);
        assert_eq!(shown, 51);
    }
    let world = World::new(&[("SERVICE_NAME", "Example")]);
    keep("home.html", std::str::from_utf8(world.get("/").0.body()).unwrap());
}

#[test]
fn style_and_script_ask_nobody_else() {
    for text in [include_str!("../../static/style.css"), include_str!("../../static/passkey.js")] {
        for elsewhere in ["://", "url(", "@import", "import(", "innerHTML", "eval("] {
            assert!(!text.contains(elsewhere), "{elsewhere}");
        }
    }
}
