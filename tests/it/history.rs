//! Random histories against the invariants: what was ended never works again, what was not keeps working.

use proptest::prelude::*;
use serde_json::json;

use crate::world::World;

#[derive(Clone, Debug)]
enum Op {
    Register,
    RegisterKey,
    /// Exchange some credential for a token.
    Exchange(usize),
    RevokeToken(usize),
    RevokeCredential(usize),
    RotateKeys,
    Later(u64),
    /// The isolate dies, and another takes over.
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Register),
        2 => Just(Op::RegisterKey),
        6 => any::<usize>().prop_map(Op::Exchange),
        3 => any::<usize>().prop_map(Op::RevokeToken),
        1 => any::<usize>().prop_map(Op::RevokeCredential),
        1 => Just(Op::RotateKeys),
        2 => (1_u64..1200).prop_map(Op::Later),
        2 => Just(Op::Forget),
    ]
}

#[derive(Clone)]
struct Credential {
    text: String,
    is_key: bool,
    born: u64,
    ended: bool,
}

struct Token {
    text: String,
    of: usize,
    born: u64,
    ended: bool,
}

#[derive(Default)]
struct Expected {
    now: u64,
    credentials: Vec<Credential>,
    tokens: Vec<Token>,
}

impl Expected {
    fn credential_counts(&self, credential: &Credential) -> bool {
        let life = if credential.is_key { 86_400 } else { 3600 };
        !credential.ended && self.now < credential.born + life
    }

    fn token_counts(&self, token: &Token) -> bool {
        // An expired assertion leaves its tokens alone; an ended one does not.
        let of = &self.credentials[token.of];
        !token.ended && !of.ended && self.now < token.born + 900 && self.now < of.born + 86_400
    }
}

fn exchange(world: &World, credential: &Credential) -> crate::world::Answer {
    let (grant, name) = if credential.is_key {
        ("client_credentials", "client_secret")
    } else {
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion")
    };
    world.form("/oauth2/token", &[("grant_type", grant), (name, &credential.text)])
}

fn carry_out(op: Op, world: &mut World, expected: &mut Expected) {
    match op {
        Op::Register | Op::RegisterKey => {
            let is_key = matches!(op, Op::RegisterKey);
            let body = json!({ "type": "anonymous", "requested_credential_type": "api_key" });
            let (path, name) = if is_key { ("/agent/auth", "credential") } else { ("/agent/identity", "identity_assertion") };
            let text = world.json(path, &body).text(name);
            expected.credentials.push(Credential { text, is_key, born: expected.now, ended: false });
        }
        Op::Exchange(index) => {
            let Some(at) = index.checked_rem(expected.credentials.len()) else { return };
            let answer = exchange(world, &expected.credentials[at]);
            assert_eq!(answer.status() == 200, expected.credential_counts(&expected.credentials[at]), "{}", answer.json());
            if answer.status() == 200 {
                expected.tokens.push(Token { text: answer.text("access_token"), of: at, born: expected.now, ended: false });
            }
        }
        Op::RevokeToken(index) => {
            let Some(at) = index.checked_rem(expected.tokens.len()) else { return };
            assert_eq!(world.form("/oauth2/revoke", &[("token", &expected.tokens[at].text)]).status(), 200);
            expected.tokens[at].ended = true;
        }
        Op::RevokeCredential(index) => {
            let Some(at) = index.checked_rem(expected.credentials.len()) else { return };
            assert_eq!(world.form("/oauth2/revoke", &[("token", &expected.credentials[at].text)]).status(), 200);
            expected.credentials[at].ended |= expected.credential_counts(&expected.credentials[at].clone());
        }
        Op::RotateKeys => {
            let key = [("authorization", "Bearer operator-operator-operator-operator")];
            assert_eq!(world.send("192.0.2.1", "POST", "/operator/keys/rotate", &key, "").status(), 200);
        }
        Op::Later(seconds) => {
            world.later(seconds);
            expected.now += seconds;
        }
        Op::Forget => world.forget(),
    }
}

proptest! {
    #[test]
    fn what_was_ended_never_works_again_and_what_was_not_keeps_working(ops in proptest::collection::vec(op(), 1..60)) {
        let mut world = World::new(&[("REGISTRATIONS_PER_NETWORK_PER_HOUR", "1000"), ("REGISTRATIONS_PER_HOUR", "100000")]);
        let mut expected = Expected::default();
        for op in ops {
            carry_out(op, &mut world, &mut expected);
            for token in &expected.tokens {
                prop_assert_eq!(world.call(&token.text) == 200, expected.token_counts(token));
            }
            for credential in expected.credentials.iter().filter(|credential| credential.is_key) {
                prop_assert_eq!(world.call(&credential.text) == 200, expected.credential_counts(credential));
            }
            world.ring();
        }
    }
}
