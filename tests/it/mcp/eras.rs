//! JSON-RPC in both eras.

use serde_json::{Value, json};

use super::{MODERN, Sender, agent, fault};
use crate::world::World;

const META: [&str; 2] = ["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"];

fn call(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method })
}

#[test]
fn a_modern_request_says_its_version_and_capabilities_itself() {
    let world = World::new(&[]);
    let sender = Sender { headers: &[("mcp-protocol-version", MODERN), ("mcp-method", "tools/list")], ..Sender::default() };
    for meta in [json!({}), json!({ META[1]: {} }), json!({ META[0]: MODERN }), json!({ META[0]: MODERN, META[1]: [] })] {
        let answer = sender.post(&world, &json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": { "_meta": meta } }));
        assert_eq!((fault(&answer), &answer.json()["id"]), ((400, -32602), &json!(7)), "{meta}");
    }
    assert_eq!(Sender::default().modern(&world, "tools/list", json!({})).status(), 200);
}

#[test]
fn headers_that_differ_from_the_message_are_minus_32020() {
    let world = World::new(&[]);
    let whoami = json!({ "name": "discover" });
    for headers in [
        [("mcp-protocol-version", "")],
        [("mcp-protocol-version", "2025-11-25")],
        [("mcp-method", "")],
        [("mcp-method", "Tools/call")],
        [("mcp-name", "")],
        [("mcp-name", "Discover")],
        [("mcp-name", "=?base64?d2hvYW1p?=")],
        [("mcp-name", "=?base64?!?=")],
    ] {
        let answer = Sender { headers: &headers, ..Sender::default() }.modern(&world, "tools/call", whoami.clone());
        assert_eq!(fault(&answer), (400, -32020), "{headers:?}");
    }
    for headers in
        [[("mcp-name", "=?base64?ZGlzY292ZXI=?=")], [("mcp-name", " discover ")], [("mcp-param-anything", "no tool declares one")]]
    {
        assert_eq!(
            Sender { headers: &headers, ..Sender::default() }.modern(&world, "tools/call", whoami.clone()).status(),
            200,
            "{headers:?}"
        );
    }
}

#[test]
fn a_version_that_is_not_spoken_is_minus_32022_and_told_what_is() {
    let world = World::new(&[("MCP_OPEN_TOOLS", "on")]);
    for method in ["tools/list", "server/discover"] {
        let headers = [("mcp-protocol-version", "2024-11-05"), ("mcp-method", method)];
        let params = json!({ "_meta": { META[0]: "2024-11-05", META[1]: {} } });
        let sender = Sender { headers: &headers, ..Sender::default() };
        for message in [json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }), call(method)] {
            let answer = sender.post(&world, &message);
            assert_eq!(fault(&answer), (400, -32022));
            let told = &answer.json()["error"]["data"];
            assert_eq!((&told["requested"], &told["supported"][0]), (&json!("2024-11-05"), &json!(MODERN)));
        }
    }
}

#[test]
fn what_the_stateless_era_has_taken_away_is_not_found_and_says_so_with_its_status() {
    let world = World::new(&[]);
    let (_, token) = agent(&world);
    let mine = Sender { token: Some(&token), ..Sender::default() };
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/list",
        "prompts/list",
        "subscriptions/listen",
        "tasks/get",
        "x",
    ] {
        assert_eq!(fault(&mine.modern(&world, method, json!({}))), (404, -32601), "{method}");
    }
    for method in ["server/discover", "resources/list", "x"] {
        assert_eq!(fault(&mine.legacy(&world, method, json!({}))), (200, -32601), "{method}");
    }
}

#[test]
fn modern_results_are_complete_name_the_server_and_say_how_long_they_keep() {
    let world = World::new(&[("SERVICE_NAME", "The Gate"), ("MCP_OPEN_TOOLS", "on")]);
    for (method, params, kept) in
        [("server/discover", json!({}), true), ("tools/list", json!({}), true), ("tools/call", json!({ "name": "discover" }), false)]
    {
        let result = Sender::default().modern(&world, method, params).json()["result"].clone();
        assert_eq!(result["resultType"], "complete", "{method}");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["title"], "The Gate");
        assert_eq!((result["ttlMs"].is_u64(), result["cacheScope"] == "public"), (kept, kept), "{method}");
    }
    let discovered = Sender::default().modern(&world, "server/discover", json!({})).json();
    assert_eq!(discovered["result"]["capabilities"], json!({ "tools": {} }), "what is not there is not declared");
}

#[test]
fn a_notification_is_accepted_without_a_word_and_an_answer_is_none() {
    let world = World::new(&[]);
    let (_, token) = agent(&world);
    let mine = Sender { token: Some(&token), ..Sender::default() };
    for method in ["notifications/initialized", "notifications/cancelled", "notifications/unknown"] {
        let answer = mine.post(&world, &json!({ "jsonrpc": "2.0", "method": method }));
        assert_eq!((answer.status(), answer.0.body().len()), (202, 0), "{method}");
    }
    assert_eq!(fault(&mine.post(&world, &json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))), (400, -32600));
}

#[test]
fn ids_are_strings_or_numbers_and_come_back_as_they_are() {
    let world = World::new(&[]);
    for id in [json!(0), json!(-1), json!(""), json!("0"), json!(9_007_199_254_740_991_i64)] {
        let answer = Sender::default().post(&world, &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" }));
        assert_eq!((answer.status(), &answer.json()["id"]), (200, &id));
    }
    for id in [json!(null), json!({}), json!([1]), json!(true)] {
        let answer = Sender::default().post(&world, &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" }));
        assert_eq!((fault(&answer), &answer.json()["id"]), ((400, -32600), &Value::Null));
    }
}

#[test]
fn several_messages_at_once_are_for_clients_of_2025_03_26_alone() {
    let world = World::new(&[]);
    let (_, token) = agent(&world);
    let mine = |version: &'static str, batch: &Value| {
        Sender { token: Some(&token), headers: &[("mcp-protocol-version", version)], from: None }.post(&world, batch)
    };
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let batch =
        json!([call("ping"), note, { "jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": { "name": "whoami" } }, call("x"), 1]);
    for version in ["", "2025-03-26"] {
        let answer = mine(version, &batch).json();
        let kinds: Vec<(&Value, bool)> =
            answer.as_array().unwrap().iter().map(|answer| (&answer["id"], answer["error"].is_null())).collect();
        assert_eq!(kinds, [(&json!(7), true), (&json!("b"), true), (&json!(7), false), (&Value::Null, false)]);
        assert_eq!(mine(version, &json!([note])).status(), 202);
        assert_eq!(fault(&mine(version, &json!([]))), (400, -32600));
        assert_eq!(fault(&mine(version, &vec![call("ping"); 33].into())), (400, -32600));
        assert_eq!(mine(version, &json!([call("initialize")])).json()[0]["error"]["code"], -32600);
    }
    for version in ["2025-06-18", "2025-11-25", MODERN] {
        assert_eq!(fault(&mine(version, &json!([call("ping")]))), (400, -32600), "{version}");
    }
}

#[test]
fn one_message_of_a_batch_that_needs_a_token_closes_it_for_nobody() {
    let world = World::new(&[]);
    let nobody = Sender::default();
    assert_eq!(nobody.post(&world, &json!([call("ping"), call("tools/list")])).status(), 200);
    assert_eq!(nobody.post(&world, &json!([call("ping"), call("initialize")])).status(), 401);
    let many = |count: usize| nobody.post(&world, &vec![call("ping"); count].into()).status();
    assert_eq!((many(4), many(5)), (200, 401), "limits count requests, so one without a credential asks for few things");
}

#[test]
fn a_scope_that_is_missing_in_a_batch_is_told_in_its_own_answer() {
    let world = World::new(&[("READ_SCOPE", "api.write"), ("PRE_CLAIM_SCOPES", "api.read")]);
    let (_, token) = agent(&world);
    let mine = Sender { token: Some(&token), ..Sender::default() };
    let whoami = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "whoami" } });
    let answer = mine.post(&world, &json!([whoami, call("ping")]));
    assert_eq!(answer.status(), 200);
    let answers = answer.json();
    assert_eq!((&answers[0]["result"]["structuredContent"]["error"], &answers[1]["result"]), (&json!("insufficient_scope"), &json!({})));
}
