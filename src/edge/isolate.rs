//! What one isolate keeps between requests.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{Array, JSON, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::now;
use super::platform::Platform;
use crate::config::{Config, Faults};
use crate::cx::Cx;
use crate::entropy::Platform as Chance;
use crate::memory::Memory;

/// Configuration and caches. Bindings are those of a request, and so not in here.
pub(super) struct Isolate {
    pub(super) config: Result<Config, Faults>,
    pub(super) memory: Memory,
}

thread_local! {
    static ISOLATE: OnceCell<Rc<Isolate>> = const { OnceCell::new() };
}

impl Isolate {
    /// The isolate's own; variables do not change while it lives.
    pub(super) fn of(env: &JsValue) -> Rc<Self> {
        ISOLATE.with(|isolate| {
            let make = || Rc::new(Self { config: Config::parse(&variables(env)), memory: Memory::default() });
            isolate.get_or_init(make).clone()
        })
    }

    /// Whether traces are kept here; yes, as long as nobody has read the configuration.
    pub(super) fn keeps_traces() -> bool {
        ISOLATE.with(|isolate| isolate.get().is_none_or(|isolate| isolate.config.as_ref().is_ok_and(|config| config.trace)))
    }

    /// What is done without a request.
    pub(super) fn alone<'i>(&'i self, config: &'i Config, ports: &'i Platform) -> Cx<'i, Platform> {
        let memory = &self.memory;
        Cx { config, memory, ports, now: now(), entropy: &Chance, origin: None, development: false, request_id: "" }
    }
}

/// All variables and secrets. Lists and tables of `[vars]` come as JSON; KV and Durable Objects are none of them.
fn variables(env: &JsValue) -> BTreeMap<String, String> {
    let object: &Object = env.unchecked_ref();
    let names = Object::keys(object).into_iter().filter_map(|name| name.as_string());
    names
        .filter_map(|name| Reflect::get(object, &JsValue::from_str(&name)).ok().and_then(|value| text(&value)).map(|text| (name, text)))
        .collect()
}

fn text(value: &JsValue) -> Option<String> {
    if let Some(text) = value.as_string() {
        return Some(text);
    }
    let literal = value.as_bool().is_some() || value.as_f64().is_some() || Array::is_array(value);
    literal.then(|| JSON::stringify(value).ok().and_then(|text| text.as_string())).flatten()
}
