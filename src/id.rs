//! Identifiers: public names of records, safe to log, with one grammar.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base62;

/// 128 bits behind every identifier and in the address of every secret.
pub const ID_BYTES: usize = 16;

/// The text is not an identifier of that kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of the form {0} and 22 letters or digits")]
pub struct InvalidId(&'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What it begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The identifier of these 128 bits.
            #[must_use]
            pub fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
                Self::from_digits(&base62::encode(&bytes))
            }

            /// The identifier of the digits that a secret's address carries.
            #[must_use]
            pub fn from_digits(digits: &str) -> Self {
                Self(format!("{}{digits}", $prefix))
            }

            /// Its digits alone, as a secret's address carries them.
            #[must_use]
            pub fn digits(&self) -> &str {
                self.0.strip_prefix($prefix).unwrap_or_default()
            }

            /// As it goes over the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix($prefix) {
                    Some(digits) if base62::is_base62(digits, base62::width(ID_BYTES)) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId($prefix)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

/// What identifiers of ours begin with, those of clients among them: nobody else may be called so.
pub const PREFIXES: [&str; 14] = [
    RegistrationId::PREFIX,
    AccountId::PREFIX,
    AttemptId::PREFIX,
    SessionId::PREFIX,
    LoginId::PREFIX,
    GrantId::PREFIX,
    DeviceId::PREFIX,
    AuthorizationId::PREFIX,
    UpstreamId::PREFIX,
    CredentialId::PREFIX,
    DelegationId::PREFIX,
    PolicyId::PREFIX,
    WebhookId::PREFIX,
    crate::client::id::PREFIX,
];

id! {
    /// `reg_` and 22 digits of base 62: one agent's registration, also its `client_id` and `sub`.
    RegistrationId, "reg_"
}
id! {
    /// `acc_` and 22 digits: one person.
    AccountId, "acc_"
}
id! {
    /// `pol_` and 22 digits: one policy.
    PolicyId, "pol_"
}
id! {
    /// `dlg_` and 22 digits: one delegation.
    DelegationId, "dlg_"
}
id! {
    /// `cla_` and 22 digits: one attempt to claim a registration.
    AttemptId, "cla_"
}
id! {
    /// `ses_` and 22 digits: one browser of one person.
    SessionId, "ses_"
}
id! {
    /// `lgn_` and 22 digits: one sign-in by mail that is under way.
    LoginId, "lgn_"
}
id! {
    /// `gnt_` and 22 digits: what one person has granted to one client.
    GrantId, "gnt_"
}
id! {
    /// `dev_` and 22 digits: one device that waits for its person (RFC 8628).
    DeviceId, "dev_"
}
id! {
    /// `azn_` and 22 digits: one authorization request, pushed or shown.
    AuthorizationId, "azn_"
}

id! {
    /// `crd_` and 22 digits: one API key of one agent, as it is listed.
    CredentialId, "crd_"
}
id! {
    /// `whk_` and 22 digits: one webhook of one account.
    WebhookId, "whk_"
}

impl GrantId {
    /// The grant of `account` to the client, or of the client to itself. The same for good: it depends on no secret of the deployment, and
    /// nobody reaches it without one of its own.
    #[must_use]
    pub fn of(account: Option<&AccountId>, client: &str) -> Self {
        let account = account.map_or("", AccountId::as_str);
        let full = Sha256::digest(format!("grant\n{account}\n{client}"));
        Self::from_bytes(std::array::from_fn(|index| full.get(index).copied().unwrap_or_default()))
    }
}

/// The record that decides whether a token counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// An agent's registration.
    Registration(RegistrationId),
    /// A person's grant to a client, or a client's own.
    Grant(GrantId),
}

impl Holder {
    /// As it goes over the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Registration(id) => id.as_str(),
            Self::Grant(id) => id.as_str(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
id! {
    /// `ups_` and 22 digits: one journey to a provider of people, or the question after it.
    UpstreamId, "ups_"
}

impl RegistrationId {
    /// The account that a root is, with all below it: it has the same digits.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId::from_digits(self.digits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_exact() {
        let id = RegistrationId::from_bytes([7; 16]);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(RegistrationId::from_digits(id.digits()), id);
        for wrong in ["", "reg_", "reg_0", "REG_0000000000000000000000", "reg_000000000000000000000_", "reg_00000000000000000000000"] {
            assert!(wrong.parse::<RegistrationId>().is_err(), "{wrong}");
        }
    }
}
