//! Clients of the field, and what they suffered from elsewhere.
//!
//! Their contracts are replayed one by one: fixtures/ has what each of them sends, the test what it decides by and what it refuses. The rows
//! are public complaints about other servers; each has tests by its number, `row_NN_…` here and `(row NN)` in JavaScript, in the files that
//! its line names, or the reason why there is none.
//!
//! - 01 any port of a loopback address, the same path: tests/it/clients.rs, tests/it/interop/anthropic.rs
//! - 02 one matcher for registration, authorization and token; the URI that was asked for is sent back to: tests/it/clients.rs, tests/it/interop/redirects.rs
//! - 03 one bad redirect URI sinks no others; known private-use schemes: tests/it/clients.rs
//! - 04 a random port, and no path or `/`, on loopback: tests/it/clients.rs
//! - 05 a registered client with another port is the same client: tests/it/clients.rs
//! - 06 one issuer without trailing slash, byte for byte: tests/it/interop/discovery.rs, tests/workerd/discovery.test.mjs
//! - 07 the issuer is an origin, and every form of a path leads to it: tests/it/interop/discovery.rs, src/config/reader_tests.rs
//! - 08 root, inserted and appended well-known paths; the unknown is a fast 404 in JSON: tests/it/interop/discovery.rs
//! - 09 metadata ask for no credential; resource and server on one host: tests/it/interop/discovery.rs
//! - 10 /authorize, /token and /register at the origin: tests/it/clients.rs, tests/it/interop/discovery.rs
//! - 11 an origin with and without slash, and more in the query, is one resource: tests/it/interop/discovery.rs
//! - 12 preflights without credential everywhere: tests/it/interop/discovery.rs, tests/workerd/mcp.test.mjs
//! - 13 the platform's own blocking of bots: no test: it happens before the worker; the README says what to switch off and how to see it
//! - 14 documents of clients are kept for seven days, those of well-known vendors come with us: tests/it/client/outage.rs, tests/it/client/connect.rs
//! - 15 nothing of our own is fetched: tests/it/interop/discovery.rs
//! - 16 clients that sign: tests/it/client/connect.rs
//! - 17 documents are negotiated: tests/it/client/document.rs
//! - 18 both flags, and the host of the document on the consent page: tests/it/interop/discovery.rs
//! - 19 no client with a grant is forgotten; an unknown one is told what to do: tests/it/clients.rs, tests/it/clients_managed.rs, tests/it/client/method.rs
//! - 20 the same registration is one client; shared addresses are not locked out: tests/it/clients.rs, tests/workerd/client_mcp_remote.test.mjs
//! - 21 the shape of a registration's answer: tests/it/clients.rs
//! - 22 scope is narrowed, and no ceiling: tests/it/clients.rs, tests/it/interop/redirects.rs
//! - 23 a secret comes in either way, and a public client has none: tests/it/clients.rs, tests/it/client/method.rs
//! - 24 registration is on: tests/it/interop/tokens.rs
//! - 25 parallel refreshes have one successor, a late reuse ends the family: tests/it/interop/tokens.rs, tests/workerd/oauth_once.test.mjs, tests/workerd/client_mcp_remote.test.mjs
//! - 26 no token of an upstream provider is kept, so none goes stale: tests/it/interop/storage.rs
//! - 27 a refresh inherits its resource, and a mismatch uses nothing up: tests/it/interop/tokens.rs
//! - 28 an hour of life, sliding refresh, remembered consent: tests/it/interop/tokens.rs
//! - 29 refresh tokens without `offline_access`: tests/it/interop/tokens.rs
//! - 30 the error codes that clients act upon: tests/it/interop/tokens.rs
//! - 31 no failure is 200 or a page: tests/it/interop/tokens.rs
//! - 32 nothing hot or short-lived in the directory: tests/it/interop/storage.rs
//! - 33 a revocation is felt within a second: tests/it/interop/storage.rs, tests/it/clock.rs
//! - 34 no call of a record for each request: tests/it/interop/storage.rs
//! - 35 whoever verifies a token learns when it ends: tests/it/interop/storage.rs
//! - 36 nobody ends what is another's; malformed headers are 4xx: tests/it/interop/tokens.rs, tests/it/client/own.rs
//! - 37 consent is of one browser, person, client and request: tests/it/oauth.rs, tests/workerd/consent_forgery.test.mjs
//! - 38 the device flow; the local proxy that uses it is a program of its own: tests/it/device/poll.rs
//! - 39 ID-JAG: one audience, used once, no restriction is passed over: tests/it/provider/assertion.rs, tests/it/provider/trust.rs
//! - 40 nobody is trusted unless the operator says so: tests/it/provider/trust.rs
//! - 41 one call to register, one link to claim; what nobody claims ends, what is claimed changes its credentials: tests/it/clock.rs, tests/it/interop/redirects.rs
//! - 42 who acts is named from tokens alone, may what both may, and not without end: tests/it/exchange/actor.rs
//! - 43 slow password hashing: no test: there are no passwords; people sign in by mailed code, passkey or provider
//! - 44 quirks of SCIM clients: no test: nothing here provisions people by SCIM, and no path of it is served
//! - 45 every attempt to connect is traced: tests/it/trace.rs

mod anthropic;
mod discovery;
mod editors;
mod negative;
mod openai;
mod redirects;
mod replay;
mod sdks;
mod storage;
mod tokens;
mod tools;

#[test]
fn every_row_has_a_test_where_its_line_says_or_a_reason_why_not() {
    let lines: Vec<&str> = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! - ")).collect();
    assert_eq!(lines.len(), 45);
    for (row, line) in (1..).zip(lines) {
        let (number, _) = line.split_once(' ').unwrap();
        assert_eq!(number, format!("{row:02}"), "in order");
        if let Some((_, reason)) = line.split_once(": no test: ") {
            assert!(reason.len() > 20, "{row}: a reason");
            continue;
        }
        let (_, files) = line.rsplit_once(": ").unwrap();
        for file in files.split(", ") {
            let source = std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|_| panic!("no {file}"));
            let native = ["", "    "].iter().any(|indent| source.contains(&format!("#[test]\n{indent}fn row_{row:02}_")));
            let titled = [")", ","].iter().any(|end| source.contains(&format!("row {row}{end}")));
            assert!(if file.ends_with(".rs") { native } else { titled }, "{row}: none in {file}");
        }
    }
}

/// Rows whose numbers are in names, and whose lines do not say so, are lost to whoever looks for them.
#[test]
fn no_row_is_proven_where_its_line_does_not_say() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut folders = vec![format!("{root}/tests/it"), format!("{root}/src")];
    let lines: Vec<&str> = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! - ")).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.to_str().unwrap().to_owned());
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let file = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            for test in source.split("\nfn row_").skip(1).chain(source.split("\n    fn row_").skip(1)) {
                let row: usize = test[..2].parse().unwrap();
                assert!(lines[row - 1].contains(&file), "row {row} is in {file} as well");
            }
        }
    }
}
