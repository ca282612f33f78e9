//! The key in a header of its own, as AgentAuth's clients send it.

use super::Stage;
use crate::openapi;

#[test]
fn wherever_a_bearer_counts_the_key_counts_in_a_header_of_its_own_and_two_that_differ_are_refused() {
    let stage = Stage::set();
    let takes = |name: &str| {
        let mut known = openapi::operations().filter(|(.., operation)| operation["operationId"] == name);
        let (.., operation) = known.next().unwrap();
        operation["security"].as_array().is_some_and(|ways| ways.iter().any(|way| way.get("agent_key").is_some()))
    };
    let lower = format!("bearer  {}", stage.key);
    let (bearer, other) = (format!("Bearer {}", stage.key), format!("Bearer {}", stage.childs_key));
    let mut keyed = 0;
    for call in stage.routes().iter().filter(|call| takes(call.name)) {
        let with = |headers: &[(&str, &str)]| call.send_as(headers, &stage.copy());
        if !call.is_open() {
            assert!(call.succeeded(&with(&[("x-agent-key", &stage.key)])), "{}", call.name);
            for same in [&bearer, &lower] {
                assert!(call.succeeded(&with(&[("x-agent-key", &stage.key), ("authorization", same)])), "{}: twice the same", call.name);
            }
            assert_eq!(with(&[("x-agent-key", "postern_x")]).status(), 401, "{}", call.name);
        }
        let two = with(&[("x-agent-key", &stage.key), ("authorization", &other)]);
        assert_eq!((two.status(), two.text("error").as_str()), (400, "invalid_request"), "{}: two that differ", call.name);
        keyed += 1;
    }
    assert!(keyed > 35, "{keyed}");
}
