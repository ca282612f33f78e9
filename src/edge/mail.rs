//! Mail: Cloudflare's binding, or an HTTP provider with Resend's API.

use js_sys::{Promise, Reflect};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response, WorkerGlobalScope};

use super::platform::in_time;
use crate::config::{Mail, Mailer};
use crate::mail::Message;
use crate::store::OutboundError;
use crate::time::Ttl;

/// Name of the `send_email` binding.
const BINDING: &str = "SEND_EMAIL";
/// Longer than this nobody waits for a sign-in page.
const PATIENCE: Ttl = Ttl::from_seconds(8);

#[wasm_bindgen]
extern "C" {
    /// The binding.
    type SendEmail;

    #[wasm_bindgen(method, catch)]
    fn send(this: &SendEmail, message: &JsValue) -> Result<Promise, JsValue>;
}

/// Hands the message over. Errors of the platform are not repeated: they may quote the message, or whom it is for.
pub(super) async fn send(env: &JsValue, message: &Message, mail: &Mail) -> Result<(), OutboundError> {
    let Message { to, subject, text, html, .. } = message;
    match &mail.through {
        Mailer::Outbox => Err(OutboundError("the outbox is not outside".to_owned())),
        Mailer::Binding => {
            let body = json!({ "from": mail.from, "to": to, "subject": subject, "text": text, "html": html });
            bound(env, &body.to_string()).await.map_err(|_| OutboundError("SEND_EMAIL is missing, or refused the message".to_owned()))
        }
        Mailer::Http { url, key } => {
            let body = json!({ "from": mail.from, "to": [to], "subject": subject, "text": text, "html": html });
            match posted(url, key, &body.to_string()).await.map_err(|_| OutboundError("the mail provider did not answer".to_owned()))? {
                200..=299 => Ok(()),
                status => Err(OutboundError(format!("the mail provider answered {status}"))),
            }
        }
    }
}

async fn bound(env: &JsValue, message: &str) -> Result<(), JsValue> {
    let binding = Reflect::get(env, &JsValue::from_str(BINDING))?;
    if binding.is_undefined() {
        return Err(js_sys::Error::new("the binding SEND_EMAIL is missing").into());
    }
    let binding: SendEmail = binding.unchecked_into();
    JsFuture::from(binding.send(&js_sys::JSON::parse(message)?)?).await.map(|_| ())
}

async fn posted(url: &str, key: &str, body: &str) -> Result<u16, JsValue> {
    let headers = Headers::new()?;
    headers.set("authorization", &format!("Bearer {key}"))?;
    headers.set("content-type", "application/json")?;
    let init = RequestInit::new();
    init.set_method("POST");
    // A letter goes to the provider, and nowhere else that it may name.
    init.set_redirect(RequestRedirect::Manual);
    init.set_headers(&headers);
    init.set_body(&JsValue::from_str(body));
    let request = Request::new_with_str_and_init(url, &init)?;
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    let answer = in_time(PATIENCE, JsFuture::from(global.fetch_with_request(&request))).await;
    let answer = answer.ok_or_else(|| JsValue::from(js_sys::Error::new("no answer in time")))??;
    Ok(answer.unchecked_into::<Response>().status())
}
