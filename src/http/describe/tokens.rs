//! OAuth 2.1: grants, and the life of tokens after that.

use serde_json::{Value, json};

use super::operation::{HTML, Operation};
use super::schema::{about_it, flag, list, named, number, object, text, uri, with, word};
use crate::grant::{
    AGENT_DELEGATION, AUTHORIZATION_CODE, CLAIM, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, REFRESH_TOKEN, TOKEN_EXCHANGE,
};
use crate::http::refuse::Surface;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

/// A client shows who it is, or names itself, or is nobody.
pub(super) const ANYBODY: &[&str] = &["", "client", "token"];

/// Why no token is given.
pub(super) const TOKEN_ERRORS: [ErrorCode; 11] = [
    ErrorCode::InvalidClient,
    ErrorCode::InvalidGrant,
    ErrorCode::InvalidScope,
    ErrorCode::UnsupportedGrantType,
    ErrorCode::UnauthorizedClient,
    ErrorCode::InvalidTarget,
    ErrorCode::AccessDenied,
    ErrorCode::AuthorizationPending,
    ErrorCode::SlowDown,
    ErrorCode::ExpiredToken,
    ErrorCode::RateLimited,
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("token", "/oauth2/token", "Get a token")
            .about("Which members are needed, the grant says. With a DPoP proof the token is bound to its key.")
            .aliases(&["/oauth/token", "/token"])
            .security(ANYBODY)
            .proves(400)
            .stored()
            .form(grant())
            .gives("Token", "A token.")
            .refuses(&TOKEN_ERRORS),
        authorize(Operation::get("authorize", "/oauth2/authorize", "Ask a person for access"))
            .about("To be opened in the person's browser (RFC 6749, section 4.1.1; PKCE with S256 is needed).")
            .page(200, "The person is asked.")
            .redirect(302, "Back to the client, with a code or an error.")
            .redirect(303, "The person signs in first.")
            .page(400, "The client is unknown, or its redirect URI is not one of its own: nobody is sent anywhere.")
            .stored()
            .refuses(&[ErrorCode::NotFound, ErrorCode::InvalidRequest, ErrorCode::RateLimited]),
        Operation::post("postAuthorize", "/oauth2/authorize", "Ask a person for access, with a form")
            .aliases(&["/oauth/authorize", "/authorize"])
            .surface(Surface::Page)
            .form(object([]))
            .redirect(303, "The same request as GET."),
        Operation::post("consent", "/oauth2/authorize/consent", "The person says yes or no")
            .surface(Surface::Page)
            .security(&["session"])
            .stored()
            .form(object([
                ("request", text("")),
                ("client_id?", text("")),
                ("answer", word(&["allow", "deny"])),
                ("csrf", text("")),
            ]))
            .redirect(303, "Back to the client, or to sign-in.")
            .page(400, "The request is over, or cannot be read.")
            .refuses(&[ErrorCode::NotFound, ErrorCode::OriginNotAllowed, ErrorCode::Unauthorized, ErrorCode::RateLimited]),
        Operation::post("pushAuthorization", "/oauth2/par", "Push an authorization request (RFC 9126)")
            .security(ANYBODY)
            .proves(400)
            .stored()
            .form(request())
            .answers(201, "Kept for ten minutes.", JSON, named("Pushed"))
            .refuses(&[
                ErrorCode::NotFound,
                ErrorCode::InvalidClient,
                ErrorCode::UnauthorizedClient,
                ErrorCode::UnsupportedResponseType,
                ErrorCode::RequestNotSupported,
                ErrorCode::InvalidTarget,
                ErrorCode::InvalidScope,
                ErrorCode::RateLimited,
            ]),
        Operation::post("authorizeDevice", "/oauth2/device_authorization", "Ask for the codes of a device (RFC 8628)")
            .aliases(&["/oauth/device/authorize"])
            .security(ANYBODY)
            .stored()
            .form(credentials(object([("scope?", text("")), ("resource?", uri(""))])))
            .gives("DeviceAuthorization", "The codes: show user_code, poll with device_code.")
            .refuses(&[
                ErrorCode::NotFound,
                ErrorCode::InvalidClient,
                ErrorCode::UnauthorizedClient,
                ErrorCode::InvalidTarget,
                ErrorCode::InvalidScope,
                ErrorCode::RateLimited,
            ]),
        Operation::post("introspect", "/oauth2/introspect", "Ask whether a token counts (RFC 7662)")
            .about("A resource server may ask about all, an agent or a client about its own.")
            .security(&["client", "token", "dpop"])
            .proves(400)
            .stored()
            .form(credentials(object([("token", text("A token, or an API key.")), ("token_type_hint?", text("Makes no difference."))])))
            .gives("Introspection", "What it is; of one that does not count only that.")
            .refuses(&[ErrorCode::InvalidClient, ErrorCode::RateLimited]),
        Operation::post("revoke", "/oauth2/revoke", "End a token (RFC 7009)")
            .about("Also an API key, a refresh token with all that came of it, and with its assertion a registration. An unknown token is none any more.")
            .security(ANYBODY)
            .stored()
            .form(credentials(object([("token", text("")), ("token_type_hint?", text("Makes no difference."))])))
            .empty(200, "It does not count any more.")
            .refuses(&[ErrorCode::InvalidClient, ErrorCode::RateLimited]),
        userinfo(Operation::get("userinfo", "/oauth2/userinfo", "Who the person is (OpenID Connect)")),
        userinfo(Operation::post("postUserinfo", "/oauth2/userinfo", "The same with POST")),
        Operation::get("statusList", "/status/{list}", "A token status list (draft-ietf-oauth-status-list)")
            .parameter("path", "list", number(""), "Of status.status_list.uri in tokens.")
            .stored()
            .answers(200, "A signed list.", "application/statuslist+jwt", text("A JWT."))
            .refuses(&[ErrorCode::NotFound]),
        logout(Operation::get("askLogout", "/oauth2/logout", "A client signs its person out (OpenID Connect RP-Initiated Logout)"))
            .query("id_token_hint", text(""), "An ID token of the person.")
            .query("client_id", text(""), "The client.")
            .query("post_logout_redirect_uri", uri(""), "Where to go then.")
            .query("state", text(""), "Comes back.")
            .page(200, "The person is asked, or nobody is signed in."),
        logout(Operation::post("logOutOf", "/oauth2/logout", "The same with a form, or the person's answer"))
            .security(&["", "session"])
            .form(object([
                ("id_token_hint?", text("")),
                ("client_id?", text("")),
                ("post_logout_redirect_uri?", uri("")),
                ("state?", text("")),
                ("csrf?", text("")),
            ]))
            .page(200, "Signed out; or the person is asked.")
            .refuses(&[ErrorCode::OriginNotAllowed]),
    ]
}

fn logout(operation: Operation) -> Operation {
    operation.surface(Surface::Page).stored().redirect(303, "Back to the client.").refuses(&[
        ErrorCode::NotFound,
        ErrorCode::InvalidRequest,
        ErrorCode::InvalidClient,
        ErrorCode::RateLimited,
    ])
}

fn userinfo(operation: Operation) -> Operation {
    operation.guarded().gives("Userinfo", "As far as the scope allows.").refuses(&[
        ErrorCode::NotFound,
        ErrorCode::InvalidClient,
        ErrorCode::RateLimited,
    ])
}

/// The parameters of an authorization request, in the query.
fn authorize(operation: Operation) -> Operation {
    let operation = operation.aliases(&["/oauth/authorize", "/authorize"]).surface(Surface::Page);
    let Value::Object(fields) = request() else { return operation };
    let Some(Value::Object(parameters)) = fields.get("properties") else { return operation };
    let asked = parameters.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()) || *name == "client_id");
    let operation = asked.fold(operation, |operation, (name, schema)| operation.query(name, schema.clone(), ""));
    let operation = operation.query("request_uri", uri(""), "Of a pushed request.");
    operation.answers(200, "The person is asked.", HTML, json!({ "type": "string" }))
}

/// What shows who a client is, in a form.
const CREDENTIALS: [&str; 4] = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// A form in which a client may show who it is.
pub(super) fn credentials(mut form: Value) -> Value {
    let Some(Value::Object(members)) = form.get_mut("properties") else { return form };
    let words = ["", "client_secret_post.", "private_key_jwt (RFC 7523).", ""];
    let kinds = CREDENTIALS.into_iter().zip(words).map(|(name, about)| (name.to_owned(), text(about)));
    members.extend(kinds);
    members.insert("client_assertion_type".to_owned(), word(&[crate::client::assertion::TYPE]));
    form
}

pub(super) fn grant() -> Value {
    let token_type = || uri("`urn:ietf:params:oauth:token-type:access_token`, or the same with `jwt`.");
    credentials(object([
        (
            "grant_type",
            word(&[
                JWT_BEARER,
                CLIENT_CREDENTIALS,
                AUTHORIZATION_CODE,
                REFRESH_TOKEN,
                DEVICE_CODE,
                TOKEN_EXCHANGE,
                AGENT_DELEGATION,
                CLAIM,
            ]),
        ),
        ("scope?", text("At most what one is entitled to; all of it without.")),
        ("resource?", uri("What the token is to be for (RFC 8707); the default resource without.")),
        ("assertion?", text("jwt-bearer: our identity assertion, or an ID-JAG.")),
        ("code?", text("authorization_code.")),
        ("redirect_uri?", uri("authorization_code: that of the request.")),
        ("code_verifier?", text("authorization_code: PKCE.")),
        ("refresh_token?", text("refresh_token.")),
        ("device_code?", text("Device flow.")),
        ("claim_token?", text("The claim grant.")),
        ("subject_token?", text("Exchange: whose rights.")),
        ("subject_token_type?", token_type()),
        ("actor_token?", text("Exchange: who acts.")),
        ("actor_token_type?", token_type()),
        ("requested_token_type?", token_type()),
        ("delegation_id?", text("agent_delegation: a delegation to whoever asks.")),
        ("delegation_token?", text("agent_delegation: a live access token of the delegator, in place of delegation_id.")),
        ("audience?", text("The same as resource, for an exchange or agent_delegation.")),
    ]))
}

fn request() -> Value {
    credentials(object([
        ("response_type", word(&["code"])),
        ("redirect_uri?", uri("One that the client has registered.")),
        ("code_challenge", text("")),
        ("code_challenge_method", word(&["S256"])),
        ("scope?", text("")),
        ("resource?", uri("")),
        ("state?", text("Comes back.")),
        ("nonce?", text("Comes back in the ID token.")),
        ("prompt?", text("none, login, consent, select_account, create.")),
        ("max_age?", number("Seconds that the sign-in may be old.")),
        ("login_hint?", text("")),
        ("id_token_hint?", text("Who is meant.")),
        ("response_mode?", word(&["query"])),
        ("dpop_jkt?", text("The key that the code is bound to (RFC 9449, section 10).")),
    ]))
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Token",
            object([
                ("access_token", text("RFC 9068.")),
                ("token_type", word(&["Bearer", "DPoP"])),
                ("expires_in", number("Seconds.")),
                ("scope", text("What it got.")),
                ("refresh_token?", text("Works once; a repeat brings the same successor for a while.")),
                ("id_token?", text("OpenID Connect.")),
                ("issued_token_type?", text("Of an exchange (RFC 8693).")),
                ("registration_id?", text("Of the claim grant.")),
                ("identity_assertion?", text("Of the claim grant.")),
                ("assertion_expires?", super::schema::or_null(super::schema::moment())),
                ("id?", text("Of the claim grant.")),
                ("identity?", named("Identity")),
            ]),
        ),
        ("Pushed", object([("request_uri", uri("For the authorization request.")), ("expires_in", number("Seconds."))])),
        (
            "DeviceAuthorization",
            object([
                ("device_code", text("To poll with.")),
                ("user_code", text("For the person.")),
                ("verification_uri", uri("For the person.")),
                ("verification_uri_complete", uri("The same with the code in the field.")),
                ("expires_in", number("Seconds.")),
                ("interval", number("Seconds between polls.")),
            ]),
        ),
        (
            "Introspection",
            object([
                ("active", flag("")),
                ("token_type?", word(&["Bearer", "DPoP"])),
                ("token_use?", word(&["access_token", "api_key"])),
                ("scope?", text("")),
                ("client_id?", text("")),
                ("sub?", text("")),
                ("aud?", json!({ "anyOf": [uri(""), list(uri(""))], "description": "A list for an API key, which is for all resources." })),
                ("iss?", uri("")),
                ("jti?", text("")),
                ("iat?", number("")),
                ("exp?", number("")),
                ("cnf?", object([("jkt", text("The key that it is bound to."))])),
                ("act?", named("Actor")),
                ("constraints?", named("DelegationConstraints")),
                ("parent_agent_id?", text("The agent that has made it.")),
            ]),
        ),
        (
            "Actor",
            about_it(
                object([("sub", text("")), ("client_id?", text("")), ("act?", named("Actor"))]),
                "Who acts for the subject, and inside who did before (RFC 8693, section 4.1).",
            ),
        ),
        (
            "Userinfo",
            object([
                ("sub", text("")),
                ("email?", with(text(""), "format", "email")),
                ("email_verified?", flag("")),
                ("name?", text("")),
                ("picture?", text("")),
            ]),
        ),
    ]
}
