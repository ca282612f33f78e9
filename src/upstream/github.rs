//! GitHub: OAuth without OpenID Connect, so whoever holds the token is asked for with calls of GitHub's own.

use serde_json::Value;

use super::{Failed, Said, ask, object};
use crate::config::Upstream;
use crate::cx::Cx;
use crate::provider::claims::Malformed;
use crate::store::{Ask, Ports};

const USER: &str = "the user endpoint";
const EMAILS: &str = "the e-mail endpoint";

/// Who it is. The number counts, since names change hands; and of the addresses the primary one, if it is verified.
pub(super) async fn said<P: Ports>(upstream: &Upstream, token: &str, cx: &Cx<'_, P>) -> Result<Said, Failed> {
    let url = upstream.endpoints.as_ref().and_then(|endpoints| endpoints.userinfo.as_deref()).ok_or(Failed::Unfit("no user endpoint"))?;
    let bearer = format!("Bearer {token}");
    // GitHub answers nobody without a user agent.
    let headers = [("authorization", bearer.as_str()), ("user-agent", "Postern"), ("x-github-api-version", "2022-11-28")];
    let ask_for = async |name, url: &str| ask(name, url, Ask { headers: &headers, content: None }, cx).await;
    let user = object(USER, ask_for(USER, url).await?)?;
    let number = user.value("id").and_then(Value::as_u64).ok_or(Failed::Malformed(USER, Malformed("id")))?;
    let emails = ask_for(EMAILS, &format!("{url}/emails")).await?;
    let is_true = |email: &Value, name: &str| email.get(name) == Some(&Value::Bool(true));
    let mut listed = emails.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let email = listed.find(|email| is_true(email, "primary") && is_true(email, "verified"));
    let email = email.and_then(|email| email.get("email")).and_then(Value::as_str);
    let name = user.text("name").or_else(|| user.text("login"));
    Ok(Said::new(upstream, &number.to_string(), email, email.is_some(), (name, user.text("avatar_url"))))
}
