//! People answer agents and devices, and look after their account.

use super::operation::Operation;
use super::schema::{object, open, text, word};
use super::sign_in::{form, page};
use crate::oauth::error::ErrorCode;

pub(super) fn operations() -> Vec<Operation> {
    let token = || ("claim_attempt_token", text("Of the page."));
    let csrf = || ("csrf", text("Of the page."));
    vec![
        claim(page(Operation::get("claimPage", "/claim", "See which agent asks for what")))
            .query("claim_attempt_token", text(""), "Of the link.")
            .page(200, "The question; or it was answered before."),
        claim(form(Operation::post("showCode", "/claim/code", "Say yes, and see the code for the agent")))
            .form(object([token(), csrf()]))
            .page(200, "The code."),
        claim(form(Operation::post("denyClaim", "/claim/deny", "Say no"))).form(object([token(), csrf()])).page(200, "Denied."),
        page(Operation::get("devicePage", "/device", "Connect a device (RFC 8628)"))
            .query("user_code", text(""), "Fills the field.")
            .page(200, "A page to type the code on.")
            .redirect(303, "Sign in anew first."),
        form(Operation::post("typeDeviceCode", "/device", "Type the device's code"))
            .form(object([("user_code", text("")), csrf()]))
            .page(200, "Who asks for what, and from where.")
            .redirect(303, "Sign in anew first.")
            .page(400, "That is no code.")
            .page(404, "Nobody waits under that code.")
            .refuses(&[ErrorCode::RateLimited, ErrorCode::InvalidClient]),
        form(Operation::post("answerDevice", "/device/answer", "Say yes or no to the device"))
            .form(object([("device", text("")), ("seal", text("")), ("answer", word(&["allow", "deny"])), csrf()]))
            .page(200, "It is done.")
            .redirect(303, "Sign in anew first.")
            .page(403, "The person is barred, or the form is of another browser.")
            .page(404, "It is over.")
            .refuses(&[ErrorCode::RateLimited, ErrorCode::InvalidClient]),
        page(Operation::get("accountPage", "/account", "Your agents, applications, passkeys and sessions"))
            .security(&["session"])
            .query("agents", text(""), "The number after which the list goes on.")
            .query("clients", text(""), "The number after which the list goes on.")
            .query("events", text(""), "The number before which the list goes on.")
            .query("done", text(""), "What was just done.")
            .page(200, "The account.")
            .redirect(303, "Sign in first."),
        change("revokeAgent", "/account/agents/revoke", "End an agent").form(object([("registration", text("")), csrf()])),
        page(Operation::get("ownKeyPage", "/account/keys", "Ask for an API key of your own"))
            .security(&["session"])
            .page(200, "What is it to be like?")
            .redirect(303, "Sign in anew first."),
        form(Operation::post("makeOwnKey", "/account/keys", "Make an API key of your own"))
            .security(&["session"])
            .form(open(object([("name", text("")), ("expires?", word(&["7", "30", "90", "365", "never"])), csrf()])))
            .about("A field `may.` and the name of a scope for each that the key is to have.")
            .page(200, "The key. It is shown this one time.")
            .redirect(303, "Sign in anew first.")
            .page(400, "Something is missing.")
            .page(409, "There are too many.")
            .limited(429)
            .refuses(&[ErrorCode::Unauthorized]),
        change("revokeOwnKey", "/account/keys/revoke", "Revoke an API key of your own").form(object([("registration", text("")), csrf()])),
        page(Operation::get("ownAgentPage", "/account/agent", "What is below an agent of yours"))
            .security(&["session"])
            .query("id", text(""), "The agent.")
            .query("after", text(""), "How many agents were listed before.")
            .query("offers", text(""), "How many offers were.")
            .query("delegations", text(""), "How many delegations were.")
            .query("done", text(""), "What was just done.")
            .page(200, "A page of the agents that it made, with their keys, and of what is delegated from and to them.")
            .redirect(303, "Sign in first."),
        below("suspendOwnAgent", "/account/agent/suspend", "Suspend an agent below one of yours", "agent"),
        below("resumeOwnAgent", "/account/agent/resume", "Let it go on", "agent"),
        below("revokeOwnAgentKey", "/account/agent/revoke-key", "Revoke an API key of one of them", "credential"),
        change("answerDelegation", "/account/agent/delegation", "Accept, decline or end a delegation of an agent below one of yours")
            .form(object([
                ("id", text("The agent that is yours.")),
                ("delegation", text("")),
                ("answer", word(&["accept", "decline", "end"])),
                csrf(),
            ]))
            .page(409, "It was answered before, or the agent has too many."),
        change("revokeAllAgents", "/account/agents/revoke-all", "End all agents").form(object([csrf()])),
        change("disconnect", "/account/clients/revoke", "Disconnect an application").form(object([("grant", text("")), csrf()])),
        change("removePasskey", "/account/passkeys/remove", "Remove a passkey").form(object([("credential", text("")), csrf()])),
        change("removeIdentity", "/account/identities/remove", "Unlink a provider")
            .form(object([("identity", text("")), csrf()]))
            .page(409, "Nobody could sign in any more."),
        change("endSession", "/account/sessions/end", "End a session").form(object([("session", text("")), csrf()])),
        change("endOtherSessions", "/account/sessions/end-others", "End all other sessions").form(object([csrf()])),
    ]
}

/// What may have become of a claim meanwhile.
fn claim(operation: Operation) -> Operation {
    operation
        .security(&["", "session"])
        .redirect(303, "Sign in first.")
        .page(403, "It is for somebody else, or the form is of another browser.")
        .page(404, "There is no such request.")
        .page(409, "It is to be answered in the other way.")
        .page(410, "It is over.")
}

/// A change of what is below an agent of one's own.
fn below(id: &'static str, path: &'static str, summary: &'static str, what: &'static str) -> Operation {
    change(id, path, summary).form(object([("id", text("The agent that is yours.")), (what, text("")), ("csrf", text("Of the page."))]))
}

/// A change of one's own account.
fn change(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    form(Operation::post(id, path, summary))
        .security(&["session"])
        .redirect(303, "It is done; or sign in anew first.")
        .refuses(&[ErrorCode::Unauthorized])
}
