//! A person at a browser, as far as the core can tell.

use crate::world::{Answer, World};

pub struct Person<'w> {
    world: &'w World,
    address: String,
    cookies: Vec<(String, String)>,
    pub page: String,
}

impl<'w> Person<'w> {
    /// At a browser that nobody has used yet.
    pub fn at(world: &'w World, address: &str) -> Self {
        Self { world, address: address.to_owned(), cookies: Vec::new(), page: String::new() }
    }

    /// Signs in with the code that comes by mail.
    pub fn sign_in(world: &'w World, email: &str) -> Self {
        let mut person = Self::at(world, "198.51.100.7");
        person.come_in("/login", email);
        person
    }

    /// The same, by the page at this path.
    pub fn come_in(&mut self, path: &str, email: &str) {
        assert_eq!(self.get(path).status(), 200);
        assert_eq!(self.post("/login", &[("email", email)]).status(), 200);
        assert_eq!(self.post("/login/code", &[("code", &mailed_code(self.world))]).status(), 303);
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    /// Sends a form with the hidden fields of the page that is open.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let hidden: Vec<(String, String)> = ["csrf", "login", "return_to", "claim_attempt_token"]
            .into_iter()
            .filter_map(|name| self.hidden(name).map(|value| (name.to_owned(), value)))
            .collect();
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(hidden.into_iter().chain(fields)).finish();
        self.send("POST", path, &body)
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
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

    fn hidden(&self, name: &str) -> Option<String> {
        let (_, rest) = self.page.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(rest.split('"').next().unwrap().to_owned())
    }

    /// The code that the page shows.
    pub fn code(&self) -> String {
        let (_, shown) = self.page.split_once("class=\"shown\"").unwrap();
        shown.split("</p>").next().unwrap().chars().filter(char::is_ascii_digit).collect()
    }
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
