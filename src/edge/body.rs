//! Reads a body as far as it may go, and not further.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, ReadableStream, ReadableStreamDefaultReader};

/// A body that is not whole.
pub(super) enum Broken {
    /// Longer than it may be; the rest is cancelled.
    TooLong,
    /// It ended early.
    Cut,
}

/// `Content-Length`.
pub(super) fn announced(headers: &Headers) -> Option<usize> {
    headers.get("content-length").ok().flatten().and_then(|length| length.parse().ok())
}

/// At most `most` bytes of a body that says it has `announced`.
pub(super) async fn collect(stream: &ReadableStream, announced: Option<usize>, most: usize) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    let Ok(reader) = stream.get_reader().dyn_into::<ReadableStreamDefaultReader>() else { return Err(Broken::Cut) };
    let mut too_long = announced.is_some_and(|length| length > most);
    while !too_long {
        let Ok(chunk) = JsFuture::from(reader.read()).await else { return Err(Broken::Cut) };
        if is_done(&chunk) {
            return Ok(body);
        }
        let Ok(value) = Reflect::get(&chunk, &JsValue::from_str("value")) else { return Err(Broken::Cut) };
        let chunk = Uint8Array::new(&value);
        too_long = body.len().saturating_add(chunk.length() as usize) > most;
        if !too_long {
            body.extend(chunk.to_vec());
        }
    }
    let _ = JsFuture::from(reader.cancel()).await;
    Err(Broken::TooLong)
}

fn is_done(chunk: &JsValue) -> bool {
    Reflect::get(chunk, &JsValue::from_str("done")).is_ok_and(|done| done.is_truthy())
}
