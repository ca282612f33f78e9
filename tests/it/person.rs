//! A person at a browser, as far as the core can tell.

use crate::world::{Answer, World};

pub struct Person<'w> {
    world: &'w World,
    address: String,
    cookies: Vec<(String, String)>,
    pub page: String,
}

impl<'w> Person<'w> {
    /// A browser that nobody knows.
    pub fn anybody(world: &'w World) -> Self {
        Self::with_cookies(world, Vec::new())
    }

    pub fn with_cookies(world: &'w World, cookies: Vec<(String, String)>) -> Self {
        Self { cookies, ..Self::at(world, "198.51.100.7") }
    }

    pub fn cookies(&self) -> Vec<(String, String)> {
        self.cookies.clone()
    }

    /// At a browser that nobody has used yet.
    pub fn at(world: &'w World, address: &str) -> Self {
        Self { world, address: address.to_owned(), cookies: Vec::new(), page: String::new() }
    }

    /// Signs in with the code that comes by mail.
    pub fn sign_in(world: &'w World, email: &str) -> Self {
        let mut person = Self::anybody(world);
        person.come_in("/login", email);
        person
    }

    /// The same, by the page at this path.
    pub fn come_in(&mut self, path: &str, email: &str) {
        assert_eq!(self.get(path).status(), 200);
        assert_eq!(self.enter_by_mail(email).status(), 303);
    }

    /// Signs in anew from the page that is open; where that leads.
    pub fn again(&mut self, email: &str) -> String {
        let answer = self.enter_by_mail(email);
        assert_eq!(answer.status(), 303);
        answer.header("location").unwrap().to_owned()
    }

    /// The same from the sign-in page that is open.
    pub fn enter_by_mail(&mut self, email: &str) -> Answer {
        assert_eq!(self.post("/login", &[("email", email)]).status(), 200);
        self.post("/login/code", &[("code", &mailed_code(self.world))])
    }

    /// Sends a form with these fields alone.
    pub fn forge(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &body)
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    /// Sends a form with the hidden fields of the page that is open.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let hidden: Vec<(String, String)> = ["csrf", "login", "return_to", "claim_attempt_token", "request", "device", "seal"]
            .into_iter()
            .filter_map(|name| self.hidden(name).map(|value| (name.to_owned(), value)))
            .collect();
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(hidden.into_iter().chain(fields)).finish();
        self.send("POST", path, &body)
    }

    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let cookie = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let headers = [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let answer = self.world.send(&self.address, method, path, &headers, body);
        for cookie in answer.0.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
        }
        let page = String::from_utf8_lossy(answer.0.body()).into_owned();
        if !page.is_empty() {
            self.page = page;
        }
        answer
    }

    pub fn hidden(&self, name: &str) -> Option<String> {
        let (_, rest) = self.page.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(unescaped(rest.split('"').next().unwrap()))
    }

    /// The code that the page shows.
    pub fn code(&self) -> String {
        let (_, shown) = self.page.split_once("class=\"shown\"").unwrap();
        shown.split("</p>").next().unwrap().chars().filter(char::is_ascii_digit).collect()
    }
}

/// What a browser reads in an attribute.
fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&amp;", "&")
}

/// The code in the newest letter.
pub fn mailed_code(world: &World) -> String {
    let letter = world.platform.mails.borrow().last().unwrap().text.clone();
    letter.lines().map(|line| line.trim().replace(' ', "")).find(|line| is_code(line)).unwrap()
}

fn is_code(line: &str) -> bool {
    line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// The path of the page that a `verification_uri` leads to.
pub fn page(uri: &str) -> String {
    let uri = url::Url::parse(uri).unwrap();
    uri.query_pairs().find(|(name, _)| name == "return_to").unwrap().1.into_owned()
}
