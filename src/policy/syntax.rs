//! The reference of `GET /policies/syntax`, for those who write policies.

use serde_json::Value;

/// A text rather than code that builds it: that is smaller, and its tests hold it against the parser.
const SYNTAX: &str = include_str!("syntax.json");

/// What a policy may say, how it is weighed, and examples with what they answer.
#[must_use]
pub fn syntax() -> Value {
    serde_json::from_str(SYNTAX).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::condition::{CONDITION_KEYS, RATE_KEYS};
    use super::super::subject::SUBJECT_KEYS;
    use super::super::tests::{ask, policy};
    use super::super::written::{ACTIONS, EFFECTS, POLICY_KEYS, RESOURCE_KEYS};
    use super::super::{AGENT_TYPES, Rights, TRUST_LEVELS, Written};
    use super::*;
    use crate::constraint::operator::OPERATORS;
    use crate::constraint::window::{DAYS, WINDOW_KEYS};

    fn keys(pointer: &str) -> Vec<String> {
        let document = syntax();
        let mut keys: Vec<_> = document.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    fn sorted(known: &[&str]) -> Vec<String> {
        let mut known: Vec<_> = known.iter().map(ToString::to_string).collect();
        known.sort();
        known
    }

    #[test]
    fn it_names_every_key_that_is_read_and_no_other() {
        assert_eq!(keys("/policy"), sorted(POLICY_KEYS));
        assert_eq!(keys("/subjects"), sorted(SUBJECT_KEYS));
        assert_eq!(keys("/resources"), sorted(RESOURCE_KEYS));
        assert_eq!(keys("/conditions"), sorted(CONDITION_KEYS));
        assert_eq!(keys("/time_window"), sorted(WINDOW_KEYS));
        assert_eq!(keys("/rate_limit"), sorted(RATE_KEYS));
        assert_eq!(keys("/operators"), sorted(OPERATORS));
        let document = syntax();
        for (values, known) in
            [("effects", EFFECTS), ("actions", ACTIONS), ("agent_types", AGENT_TYPES), ("trust_levels", TRUST_LEVELS), ("days", DAYS)]
        {
            assert_eq!(document["values"][values], json!(known), "{values}");
        }
    }

    #[test]
    fn every_example_is_a_policy_that_answers_as_it_says() {
        let document = syntax();
        let examples = document["examples"].as_array().unwrap();
        let mut keys = String::new();
        for (index, example) in examples.iter().enumerate() {
            let policy = policy(index as u8, example["policy"].clone());
            keys.push_str(&policy.to_value().to_string());
            let questions = example["questions"].as_array().unwrap();
            assert!(!questions.is_empty());
            for question in questions {
                let rights = Rights { own: question["held"].as_str().unwrap_or_default().parse().unwrap(), ..Rights::default() };
                let decision = ask(question, std::slice::from_ref(&policy), &rights);
                assert_eq!(
                    decision.is_allowed(),
                    question["allowed"].as_bool().unwrap(),
                    "{} {question}: {decision:?}",
                    policy.written.name
                );
            }
        }
        for key in SUBJECT_KEYS.iter().chain(RESOURCE_KEYS).chain(CONDITION_KEYS).chain(OPERATORS) {
            assert!(keys.contains(&format!("\"{key}\":")), "no example shows {key}");
        }
    }

    #[test]
    fn what_it_says_is_refused_is_refused() {
        let document = syntax();
        let refused = document["refused"].as_array().unwrap();
        assert!(refused.len() > 3);
        let sound = document["examples"][0]["policy"].clone();
        for example in refused {
            let mut written = sound.clone();
            written.as_object_mut().unwrap().extend(example["with"].as_object().unwrap().clone());
            assert_eq!(Written::parse(&written).unwrap_err().field, example["field"].as_str().unwrap(), "{example}");
        }
    }
}
