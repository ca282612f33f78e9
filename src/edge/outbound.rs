//! Documents from elsewhere, by the platform's own `fetch`.

use js_sys::Promise;
use url::Url;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response};

use super::body::{Broken, announced, collect};
use super::border::said;
use super::platform::in_time;
use crate::provider::fetch::max_age;
use crate::store::{Ask, Fetched, OutboundError};
use crate::time::Ttl;

#[wasm_bindgen]
extern "C" {
    /// The global object: as a method of it `fetch` is not taken for our own export of that name.
    type Global;
    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Global, url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

impl From<JsValue> for OutboundError {
    fn from(error: JsValue) -> Self {
        Self(said(&error))
    }
}

/// Asks `url`, and has the answer whole and in time: without cookies, and without going where a redirect points to.
pub(super) async fn ask(url: &Url, what: Ask<'_>, most: usize, patience: Ttl) -> Result<Fetched, OutboundError> {
    let answer = in_time(patience, answered(url, what, most, patience)).await;
    answer.ok_or_else(|| OutboundError("no answer in time".to_owned()))?
}

async fn answered(url: &Url, what: Ask<'_>, most: usize, patience: Ttl) -> Result<Fetched, OutboundError> {
    let headers = Headers::new()?;
    headers.set("accept", "application/json")?;
    let init = RequestInit::new();
    if let Some((content_type, content)) = what.content {
        headers.set("content-type", content_type)?;
        init.set_method("POST");
        init.set_body(&JsValue::from_str(content));
    }
    for (name, value) in what.headers {
        // The platform's own error would quote the value.
        headers.set(name, value).map_err(|_| OutboundError(format!("{name} cannot be sent")))?;
    }
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    // Whoever stops waiting also ends the connection.
    init.set_signal(Some(&AbortSignal::timeout_with_u32(u32::try_from(patience.millis()).unwrap_or(u32::MAX))));
    let global: Global = js_sys::global().unchecked_into();
    let response: Response = JsFuture::from(global.fetch(url.as_str(), &init)?).await?.unchecked_into();
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten().unwrap_or_default();
    let body = match response.body() {
        None => Vec::new(),
        Some(stream) if most == 0 => {
            drop(stream.cancel());
            Vec::new()
        }
        Some(stream) => match collect(&stream, announced(&headers), most).await {
            Ok(body) => body,
            Err(Broken::TooLong) => return Err(OutboundError(format!("more than {most} bytes"))),
            Err(Broken::Cut) => return Err(OutboundError("the answer breaks off".to_owned())),
        },
    };
    Ok(Fetched {
        status: response.status(),
        content_type: header("content-type"),
        max_age: max_age(&header("cache-control")),
        body: body.into(),
    })
}
