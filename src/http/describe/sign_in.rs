//! People sign in and out, in a browser.

use super::operation::Operation;
use super::passkeys;
use super::schema::{object, text};
use crate::http::refuse::Surface;
use crate::oauth::error::ErrorCode;

pub(super) fn operations() -> Vec<Operation> {
    let mut all = vec![
        page(Operation::get("signInPage", "/login", "Sign in"))
            .query("return_to", text(""), "A path of ours to go to then.")
            .query("login_hint", text(""), "What the field begins with.")
            .query("max_age", text(""), "Seconds that a present sign-in may be old.")
            .page(200, "A page with the ways in.")
            .redirect(303, "Somebody is signed in already."),
        form(Operation::post("mailCode", "/login", "Have a code and a link mailed"))
            .form(object([("email", text("")), ("return_to?", text("")), ("csrf", text(""))]))
            .page(200, "The code is under way.")
            .page(400, "That is no address.")
            .refuses(&[ErrorCode::RateLimited]),
        form(Operation::post("tryCode", "/login/code", "Type the code"))
            .form(object([("login", text("")), ("email", text("")), ("code", text("")), ("return_to?", text("")), ("csrf", text(""))]))
            .redirect(303, "Signed in.")
            .page(400, "The code is wrong.")
            .page(403, "The person is barred, or the form is of another browser.")
            .page(410, "The code is over."),
        page(Operation::get("openLink", "/login/link", "Open the mailed link"))
            .about("It signs nobody in by itself: mail programs open links too.")
            .query("token", text(""), "Of the mail.")
            .page(200, "A button.")
            .page(410, "The link is over."),
        form(Operation::post("followLink", "/login/link", "Sign in by the link"))
            .form(object([("token", text("")), ("csrf", text(""))]))
            .redirect(303, "Signed in.")
            .page(403, "The person is barred, or the form is of another browser.")
            .page(410, "The link is over."),
        form(Operation::post("signInWith", "/login/upstream", "Sign in with another provider"))
            .form(object([("provider", text("")), ("link?", text("")), ("return_to?", text("")), ("csrf", text(""))]))
            .page(200, "A button that leads to the provider.")
            .redirect(303, "Whoever links a provider has to sign in anew first.")
            .page(502, "What the provider says cannot be relied on.")
            .page(503, "The provider does not answer.")
            .refuses(&[ErrorCode::Unauthorized, ErrorCode::RateLimited]),
        page(Operation::get("comeBack", "/login/upstream/callback", "Come back from the provider"))
            .query("state", text(""), "Ours.")
            .query("code", text(""), "The provider's.")
            .query("iss", text(""), "The provider (RFC 9207).")
            .query("error", text(""), "Why not.")
            .page(200, "One more step: signing in to the account that is there.")
            .redirect(303, "Signed in.")
            .page(403, "The provider or the person said no, or the person is barred.")
            .page(410, "It is over.")
            .page(502, "What the provider says cannot be relied on.")
            .page(503, "The provider does not answer."),
        page(Operation::get("askLink", "/login/upstream/link", "May the provider sign you in?"))
            .query("token", text(""), "Of the sign-in.")
            .page(200, "The question.")
            .redirect(303, "Sign in first.")
            .page(403, "It is for another account.")
            .page(410, "It is over."),
        form(Operation::post("link", "/login/upstream/link", "It may"))
            .form(object([("token", text("")), ("csrf", text(""))]))
            .redirect(303, "Linked; or sign in first.")
            .page(403, "It is for another account, or the form is of another browser.")
            .page(409, "The provider's account is linked elsewhere.")
            .page(410, "It is over."),
        form(Operation::post("signOut", "/logout", "Sign out"))
            .form(object([("csrf", text("")), ("return_to?", text(""))]))
            .redirect(303, "Signed out."),
    ];
    all.extend(passkeys::operations());
    all
}

/// A page of people: there are none where nobody can sign in.
pub(super) fn page(operation: Operation) -> Operation {
    operation.surface(Surface::Page).stored().refuses(&[ErrorCode::NotFound, ErrorCode::InvalidRequest])
}

/// One that a form of ours is sent to.
pub(super) fn form(operation: Operation) -> Operation {
    page(operation).refuses(&[ErrorCode::OriginNotAllowed])
}
