//! Reads a body as far as it may go, and not further.

use bytes::Bytes;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStreamDefaultReader, Request};

use crate::http::{LONGEST_BODY, TooLong};

/// At most [`LONGEST_BODY`] bytes; a longer body is refused by its `Content-Length`, or cancelled when it shows.
pub(super) async fn read(request: &Request) -> Result<Bytes, TooLong> {
    let length = request.headers().get("content-length").ok().flatten().and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length <= LONGEST_BODY) {
        // The platform holds a body to its length.
        let Ok(buffer) = request.array_buffer() else { return Ok(Bytes::new()) };
        return Ok(JsFuture::from(buffer).await.map(|buffer| Uint8Array::new(&buffer).to_vec().into()).unwrap_or_default());
    }
    let Some(stream) = request.body() else { return Ok(Bytes::new()) };
    let Ok(reader) = stream.get_reader().dyn_into::<ReadableStreamDefaultReader>() else { return Ok(Bytes::new()) };
    let mut body = Vec::new();
    let mut too_long = length.is_some_and(|length| length > LONGEST_BODY);
    while !too_long {
        // A client that goes away ends its body early; what it sent is judged like any other.
        let Ok(chunk) = JsFuture::from(reader.read()).await else { break };
        if is_done(&chunk) {
            break;
        }
        let Ok(value) = Reflect::get(&chunk, &JsValue::from_str("value")) else { break };
        let chunk = Uint8Array::new(&value);
        too_long = body.len().saturating_add(chunk.length() as usize) > LONGEST_BODY;
        if !too_long {
            body.extend(chunk.to_vec());
        }
    }
    if too_long {
        let _ = JsFuture::from(reader.cancel()).await;
        return Err(TooLong);
    }
    Ok(body.into())
}

fn is_done(chunk: &JsValue) -> bool {
    Reflect::get(chunk, &JsValue::from_str("done")).is_ok_and(|done| done.is_truthy())
}
