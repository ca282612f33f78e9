//! What can happen to a grant, and what it answers.

use serde::{Deserialize, Serialize};

use super::terms::{By, Consent, Terms};
use crate::account::Connection;
use crate::id::{AccountId, GrantId};
use crate::jose::claims::CredentialStamp;
use crate::machine::family::Presented;
use crate::machine::standing::{RevokedToken, Standing};
use crate::machine::status_index::Block;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// What can happen to a grant.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// How does it stand?
    Look,
    /// What has the person agreed to? Nothing changes.
    Consents,
    /// Who is the person? Nothing changes.
    Whose,
    /// The person agrees; the code is on its way to the client.
    Approve {
        /// The grant's own name.
        name: GrantId,
        /// Who.
        account: AccountId,
        /// The client's id.
        client: String,
        /// What the client calls itself.
        client_name: Option<String>,
        /// Of the code.
        code: Digest,
        /// What it is good for.
        terms: Terms,
        /// How long it waits to be used.
        life: Ttl,
    },
    /// For whom is a code, and how far does it go? Nothing changes.
    Promise {
        /// The digests of the code.
        code: Vec<Digest>,
    },
    /// A code is used. Whatever can refuse is here, so a request that fails has used nothing up.
    Redeem {
        /// The digests of the code.
        code: Vec<Digest>,
        /// Who comes with it.
        by: By,
        /// S256 of the verifier.
        challenge: Option<String>,
        /// The redirect URI, if the client repeats it.
        redirect_uri: Option<String>,
        /// The number of the redemption, at random.
        id: u32,
        /// Of the first refresh token, if there are to be any.
        refresh: Option<Digest>,
        /// The tokens stay bound to the key.
        bind: bool,
        /// Places to remember, and how long tokens at them may live.
        block: Option<(Block, Ttl)>,
        /// How long what it brings lives if there is no refresh token.
        life: Ttl,
        /// No key for ID tokens is at hand: if one is due, nothing is used up yet, and the answer is [`Outcome::Promise`].
        #[serde(default, skip_serializing_if = "is_off")]
        keyless: bool,
    },
    /// A refresh token is spent.
    Refresh {
        /// The token.
        token: Presented,
        /// Who comes with it.
        by: By,
        /// What is asked for, if not everything.
        scope: Option<Scope>,
        /// As in [`Command::Redeem`].
        block: Option<(Block, Ttl)>,
    },
    /// The client, authenticated, asks for a token of its own.
    Own {
        /// The grant's own name.
        name: GrantId,
        /// The client's id.
        client: String,
        /// As in [`Command::Redeem`].
        block: Option<(Block, Ttl)>,
    },
    /// A token that counts is exchanged for another (RFC 8693).
    Exchange {
        /// The generation of the token.
        generation: u32,
        /// Its redemption.
        stamp: Option<CredentialStamp>,
        /// As in [`Command::Redeem`].
        block: Option<(Block, Ttl)>,
    },
    /// One access token has ended.
    RevokeToken {
        /// The token.
        token: RevokedToken,
        /// Its place.
        place: Option<Block>,
    },
    /// A refresh token ends its family, and all that it has brought.
    RevokeRefresh {
        /// The token.
        token: Presented,
        /// Who wants it, if they have said so: another client's tokens stay as they are.
        client: Option<String>,
    },
    /// The person takes it back.
    EndBy(AccountId),
    /// The operator ends it.
    EndByOperator,
    /// The person is barred, or let in again.
    Suspend {
        /// Who.
        person: AccountId,
        /// Barred or not.
        suspended: bool,
    },
    /// These places have been marked.
    Marked(Vec<Block>),
    /// The account has been told so far.
    Told(u64),
    /// The client's record lives until then.
    ClientTold(Timestamp),
}

/// What a grant answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// This is how it stands.
    Standing(Standing),
    /// What the person has agreed to.
    Consents(Vec<Consent>),
    /// The code was not used yet.
    Promise {
        /// Who has agreed.
        account: AccountId,
        /// To what.
        scope: GrantedScope,
    },
    /// The person; none if the client acts for itself.
    Whose(Option<AccountId>),
    /// The person has agreed, and this is what the account is to be told.
    Approved(Standing, Connection),
    /// Tokens may be issued.
    Issue {
        /// How it stands.
        standing: Standing,
        /// What they belong to.
        stamp: Option<CredentialStamp>,
        /// What they are good for; none for the client's own.
        terms: Option<Terms>,
        /// The person; none for the client's own.
        #[serde(default)]
        account: Option<AccountId>,
        /// Which successor of the refresh token counts.
        successor: usize,
    },
    /// Nothing is issued.
    Refused(GrantRefusal),
    /// There is no such grant, or it has expired.
    Unknown,
}

/// Why nothing is issued, for our log; the wire has fewer words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantRefusal {
    /// The code or token was never there, or is forgotten.
    Unknown,
    /// The grant has ended, or its person is barred.
    Ended,
    /// Its time is over.
    Expired,
    /// It was used before: what it brought has ended.
    Replayed,
    /// It is another client's.
    Client,
    /// The client has shown less of itself than when the code was redeemed.
    Proof,
    /// The redirect URI is another one.
    RedirectUri,
    /// The verifier does not fit the challenge.
    Verifier,
    /// It is for another resource.
    Resource,
    /// More scope is asked for than was granted.
    Scope,
    /// It is bound to another key.
    Key,
    /// The number is taken: again, with another.
    Taken,
    /// So many tokens were issued lately that no place in a status list is left for another one.
    Full,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_off(flag: &bool) -> bool {
    !*flag
}
