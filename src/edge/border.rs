//! What crosses the border of the module: one call for each thing asked of the platform.

use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::time::Ttl;

#[wasm_bindgen(module = "/src/edge/js/border.js")]
extern "C" {
    /// An answer: `head` has the headers that others have too, `own` those of this one; names and values in turn, one a line.
    #[wasm_bindgen(catch)]
    pub(super) fn respond(status: u16, head: &str, own: &str, body: &[u8]) -> Result<JsValue, JsValue>;

    /// Has an object take a command; the answer is its outcome, or null.
    #[wasm_bindgen(catch)]
    pub(super) fn ask(objects: &JsValue, name: &str, kind: &str, command: &str, millis: f64) -> Result<Promise, JsValue>;

    /// The rows of a statement; values and rows are JSON.
    #[wasm_bindgen(catch)]
    pub(super) fn rows(sql: &JsValue, statement: &str, values: &str) -> Result<String, JsValue>;

    /// The one BLOB that a statement gives.
    #[wasm_bindgen(catch)]
    fn bytes(sql: &JsValue, statement: &str) -> Result<Option<Vec<u8>>, JsValue>;

    /// A statement with one text as its value.
    #[wasm_bindgen(catch)]
    pub(super) fn put(sql: &JsValue, statement: &str, value: &str) -> Result<(), JsValue>;

    /// A text of KV, as old as so many seconds at most.
    #[wasm_bindgen(catch)]
    pub(super) fn find(kv: &JsValue, name: &str, cache_ttl: f64) -> Result<Promise, JsValue>;

    /// Puts a text into KV, for so many seconds or for good.
    #[wasm_bindgen(catch)]
    pub(super) fn publish(kv: &JsValue, name: &str, value: &str, ttl: Option<f64>) -> Result<Promise, JsValue>;

    /// Sets the alarm of an object.
    #[wasm_bindgen(catch)]
    pub(super) fn ring(storage: &Storage, at: f64) -> Result<(), JsValue>;

    /// Takes away all that an object has, its alarm too.
    #[wasm_bindgen(catch)]
    pub(super) fn erase(storage: &Storage) -> Result<(), JsValue>;

    /// Is done after so many milliseconds.
    #[wasm_bindgen(catch)]
    fn pause(millis: f64) -> Result<Pause, JsValue>;

    /// Writes a line of the log.
    pub(super) fn log(line: &str);

    /// Says that the module must begin anew.
    pub(super) fn critical();

    /// Whether it must.
    pub(super) fn state() -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/js/shared.js")]
extern "C" {
    /// The bytes of a text.
    fn utf8(text: &JsValue) -> Vec<u8>;
}

#[wasm_bindgen]
extern "C" {
    /// A request on its way: see `entry.js`.
    pub type Visit;

    /// What is done after the answer.
    #[wasm_bindgen(method, catch)]
    pub(super) fn after(this: &Visit, promise: &Promise) -> Result<(), JsValue>;

    /// Keeps the answer as that to all who ask for the same path.
    #[wasm_bindgen(method, catch)]
    pub(super) fn keep(this: &Visit, route: &str, etag: &str, millis: f64, head: &str, unchanged: &str, body: &[u8])
    -> Result<(), JsValue>;

    /// Keeps no answer any more.
    #[wasm_bindgen(method)]
    pub(super) fn forget(this: &Visit);

    /// A timer.
    type Pause;

    #[wasm_bindgen(method, getter)]
    fn promise(this: &Pause) -> Promise;

    /// Ends it before its time.
    #[wasm_bindgen(method)]
    fn stop(this: &Pause);

    /// The storage of a Durable Object.
    pub(super) type Storage;

    /// Rolls back if `body` throws, and throws the same.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    pub(super) fn transaction_sync(this: &Storage, body: &mut dyn FnMut() -> Result<(), JsValue>) -> Result<JsValue, JsValue>;
}

/// What a text of the platform says; nothing if it is none.
pub(super) fn text(value: &JsValue) -> Option<String> {
    if value.is_string() { String::from_utf8(utf8(value)).ok() } else { None }
}

/// The one text that a statement gives as a BLOB, which the platform makes no text of: the module reads bytes.
pub(super) fn column(sql: &JsValue, statement: &str) -> Result<Option<String>, JsValue> {
    let unreadable = |error: std::string::FromUtf8Error| js_sys::Error::new(&error.to_string()).into();
    bytes(sql, statement)?.map(|body| String::from_utf8(body).map_err(unreadable)).transpose()
}

/// A member of an object.
pub(super) fn member(of: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    Reflect::get(of, &JsValue::from_str(name))
}

/// What is done when so much time has gone by.
pub(super) async fn wait(length: Ttl) {
    // Where there are no timers nobody can wait.
    let Ok(waiting) = pause(millis(length.millis())).map(Waiting) else { return };
    let _ = JsFuture::from(waiting.0.promise()).await;
}

/// A timer that ends with whoever waits for it.
struct Waiting(Pause);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Milliseconds as the platform counts them: exact for 285,000 years.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn millis(millis: u64) -> f64 {
    millis as f64
}

/// What an error of the platform says.
pub(super) fn said(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| "unknown".to_owned(), |error| String::from(error.message()))
}
