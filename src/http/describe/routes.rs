//! Which operations each route has. A route that is not named here does not compile.

use crate::http::api::route::Api;
use crate::http::document::Document;
use crate::http::route::{Page, Route};

/// The operations of a route, by name.
fn operations(route: Route<'_>) -> &'static [&'static str] {
    match route {
        Route::Document(document) => of_document(document),
        Route::StatusList(_) => &["statusList"],
        Route::Health => &["health"],
        Route::Ready => &["ready"],
        Route::Identity => &["registerAgent"],
        Route::RegisterV01 => &["registerAgentV01"],
        Route::Claim => &["startClaim"],
        Route::Complete => &["completeClaim"],
        Route::ClaimV01 => &["startClaimV01"],
        Route::ChallengeV01 => &["challengeV01"],
        Route::CompleteV01 => &["completeClaimV01"],
        Route::Notify => &["notify"],
        Route::RevokeV01 => &["revokeV01"],
        Route::Page(page) => of_page(page),
        Route::Logo(None) => &["logo"],
        Route::Logo(Some(_)) => &["providerLogo"],
        Route::Outbox => &["outbox"],
        Route::Token => &["token"],
        Route::Push => &["pushAuthorization"],
        Route::Device => &["authorizeDevice"],
        Route::Userinfo => &["userinfo", "postUserinfo"],
        Route::Introspect => &["introspect"],
        Route::Revoke => &["revoke"],
        Route::Me => &["whoAmI"],
        Route::Api(api) => of_api(api),
        Route::Mcp => &["mcp"],
        Route::OperatorKeys => &["listKeys"],
        Route::RotateKeys => &["rotateKeys"],
        Route::RevokeKey => &["revokeKey"],
        Route::Traces => &["listTraces", "openTraces"],
        Route::Trace(_) => &["readTrace"],
        Route::EndRegistration => &["endRegistration"],
        Route::Suspend => &["suspendPerson"],
        Route::Resume => &["resumePerson"],
        Route::Erase => &["erasePerson"],
        Route::Clients => &["registerClient"],
        Route::ClientRegistration(_) => &["readClient", "replaceClient", "deleteClient"],
        Route::OperatorClients => &["listClients", "makeClient"],
        Route::OperatorClient(_) => &["readOperatorClient", "deleteOperatorClient"],
        Route::Unknown => &[],
    }
}

fn of_api(api: Api<'_>) -> &'static [&'static str] {
    match api {
        Api::Quickstart => &["quickstart"],
        Api::Bootstrap => &["bootstrap"],
        Api::Agents => &["listAgents", "createAgent"],
        Api::Agent(_) => &["readAgent", "changeAgent", "suspendAgent"],
        Api::Children(_) => &["listChildren"],
        Api::AgentCredentials(_) => &["listAgentCredentials"],
        Api::Credentials => &["listCredentials", "createCredential"],
        Api::Credential(_) => &["readCredential", "revokeCredential"],
        Api::RotateCredential(_) => &["rotateCredential"],
        Api::Token => &["apiToken"],
        Api::Introspect => &["apiIntrospect"],
        Api::Revoke => &["apiRevoke"],
        Api::Jwks => &["apiKeys"],
        Api::Scopes => &["listScopes"],
        Api::ResolveScopes => &["resolveScopes"],
        Api::Policies => &["listPolicies", "createPolicy"],
        Api::PolicySyntax => &["policySyntax"],
        Api::Evaluate => &["evaluate"],
        Api::Policy(_) => &["readPolicy", "changePolicy", "deletePolicy"],
        Api::Delegations => &["listDelegations", "createDelegation"],
        Api::Delegation(_) => &["readDelegation", "revokeDelegation"],
        Api::Chain(_) => &["readChain"],
        Api::Accept(_) => &["acceptDelegation"],
        Api::Decline(_) => &["declineDelegation"],
        Api::Webhooks => &["listWebhooks", "createWebhook"],
        Api::Webhook(_) => &["readWebhook", "deleteWebhook"],
        Api::WebhookLogs(_) => &["listWebhookLogs"],
        Api::RotateWebhook(_) => &["rotateWebhook"],
        Api::AuditEvents => &["listAuditEvents"],
        Api::Stats => &["stats"],
    }
}

fn of_document(document: Document<'_>) -> &'static [&'static str] {
    match document {
        Document::Home => &["home"],
        Document::Style => &["style"],
        Document::Script => &["passkeyScript"],
        Document::Icon => &["icon"],
        Document::AuthMd => &["authMd"],
        Document::Llms => &["llmsTxt"],
        Document::Robots => &["robotsTxt"],
        Document::SecurityTxt => &["securityTxt"],
        Document::ProtectedResource(_) => &["protectedResource"],
        Document::AuthorizationServer(_) => &["authorizationServer"],
        Document::OpenidConfiguration(_) => &["openidConfiguration"],
        Document::Jwks => &["keys"],
        Document::AgentConfiguration => &["agentConfiguration"],
        Document::Description => &["description"],
        Document::Documentation => &["documentation"],
        Document::DocumentationScript => &["documentationScript"],
    }
}

fn of_page(page: Page) -> &'static [&'static str] {
    match page {
        Page::Login => &["signInPage", "mailCode"],
        Page::LoginCode => &["tryCode"],
        Page::LoginLink => &["openLink", "followLink"],
        Page::Upstream => &["signInWith"],
        Page::UpstreamCallback => &["comeBack"],
        Page::UpstreamLink => &["askLink", "link"],
        Page::RemoveIdentity => &["removeIdentity"],
        Page::PasskeyOptions => &["passkeyOptions"],
        Page::PasskeySignIn => &["signInWithPasskey"],
        Page::Logout => &["signOut"],
        Page::Claim => &["claimPage"],
        Page::ClaimCode => &["showCode"],
        Page::ClaimDeny => &["denyClaim"],
        Page::Account => &["accountPage"],
        Page::RevokeAgent => &["revokeAgent"],
        Page::RevokeAllAgents => &["revokeAllAgents"],
        Page::AddPasskeyOptions => &["newPasskeyOptions"],
        Page::AddPasskey => &["addPasskey"],
        Page::RemovePasskey => &["removePasskey"],
        Page::EndSession => &["endSession"],
        Page::EndOtherSessions => &["endOtherSessions"],
        Page::Keys => &["ownKeyPage", "makeOwnKey"],
        Page::RevokeKey => &["revokeOwnKey"],
        Page::Agent => &["ownAgentPage"],
        Page::SuspendAgent => &["suspendOwnAgent"],
        Page::ResumeAgent => &["resumeOwnAgent"],
        Page::AnswerDelegation => &["answerDelegation"],
        Page::RevokeAgentKey => &["revokeOwnAgentKey"],
        Page::Authorize => &["authorize", "postAuthorize"],
        Page::Consent => &["consent"],
        Page::Device => &["devicePage", "typeDeviceCode"],
        Page::DeviceAnswer => &["answerDevice"],
        Page::EndConnection => &["disconnect"],
        Page::RpLogout => &["askLogout", "logOutOf"],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::describe::FAMILIES;
    use crate::http::describe::operation::Operation;

    fn all() -> Vec<Operation> {
        FAMILIES.iter().flat_map(|family| (family.operations)()).collect()
    }

    /// A path with something in place of its parameters.
    fn filled(path: &str) -> String {
        path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
    }

    #[test]
    fn every_described_path_is_a_route_s() {
        for operation in all() {
            for path in operation.paths() {
                let path = filled(path);
                let route = Route::of(&path);
                assert!(operations(route).contains(&operation.id), "{path} is {route:?}, not {}", operation.id);
                assert!(route.methods().allows(operation.method), "{} {path}", operation.method);
            }
        }
    }

    #[test]
    fn every_method_of_a_described_path_is_described() {
        let described: BTreeSet<(String, &str)> =
            all().iter().flat_map(|operation| operation.paths().map(|path| (filled(path), operation.method))).collect();
        for (path, _) in &described {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                let allowed = Route::of(path).methods().allows(method);
                assert_eq!(allowed, described.contains(&(path.clone(), method)), "{method} {path}");
            }
        }
    }

    /// The route table is read as text: a path that is in it and nowhere in the description is found so.
    #[test]
    fn every_path_of_the_route_table_is_described() {
        let described: BTreeSet<String> = all().iter().flat_map(|operation| operation.paths().map(str::to_owned)).collect();
        let mut found = 0;
        let well_known = ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration"];
        for source in
            [include_str!("../route.rs"), include_str!("../document.rs"), include_str!("../status_list.rs"), include_str!("../logo.rs")]
        {
            let code = source.split("#[cfg(test)]").next().unwrap();
            for line in code.lines().filter(|line| line.contains("=>") || line.contains("strip_prefix")) {
                for literal in line.split('"').skip(1).step_by(2).filter(|literal| literal.starts_with('/') || well_known.contains(literal))
                {
                    let is = |path: &String| path == literal || path == &format!("/.well-known/{literal}");
                    let begins = |path: &String| literal.ends_with('/') && path.starts_with(&format!("{literal}{{"));
                    assert!(literal == "/" || described.iter().any(|path| is(path) || begins(path)), "{literal} is not described");
                    found += 1;
                }
            }
        }
        assert!(found > 80, "only {found} paths were found: has the route table another form?");
    }
}
