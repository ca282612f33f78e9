//! A panic: what the module knew is gone, and the next request gets a new one. worker-build's part of the entry does that; this tells it.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::border;

/// Before anything else.
#[wasm_bindgen(start)]
pub fn begin() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // What a panic says may quote a value: only what was written into the program is repeated.
        let what = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("see there");
        super::log::warn("panic", &format!("{place}: {what}"));
        border::critical();
    }));
    wasm_bindgen::handler::set_on_abort(aborted);
}

/// Whatever ended the module, objects of it have to be made anew too.
fn aborted() {
    border::critical();
    wasm_bindgen::handler::schedule_reinit();
}

/// Where worker-build's part of the entry looks whether there was a panic.
#[wasm_bindgen(js_name = "__worker_init_state")]
#[must_use]
pub fn state() -> JsValue {
    border::state()
}
