//! Words that are columns, and go over the wire as they are.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::sql::Value;

/// No such word.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the words that are known")]
pub struct UnknownWord;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it goes over the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().find(|word| word.as_str() == text).copied().ok_or(UnknownWord)
            }
        }

        impl From<$name> for Value {
            fn from(word: $name) -> Self {
                word.as_str().into()
            }
        }
    };
}

words! {
    /// What an agent is for. Nothing depends on it but policies.
    AgentType {
        /// It has others do the work.
        Orchestrator = "orchestrator",
        /// It works by itself.
        Autonomous = "autonomous",
        /// It works for a person.
        Assistant = "assistant",
        /// It is called by others.
        Tool = "tool",
    }
}

words! {
    /// How an agent came here.
    TrustLevel {
        /// By itself: it has no parent.
        Root = "root",
        /// Another agent has made it.
        Delegated = "delegated",
        /// Another agent has made it for a short while.
        Ephemeral = "ephemeral",
    }
}

words! {
    /// An agent's own status. It counts only as long as every ancestor is active too.
    Status {
        /// It may work.
        Active = "active",
        /// It may not, until it is reactivated.
        Suspended = "suspended",
        /// It never may again.
        Revoked = "revoked",
    }
}

words! {
    /// How a delegation stands.
    DelegationStatus {
        /// The delegate's account has not accepted it yet.
        Pending = "pending",
        /// It counts.
        Active = "active",
        /// The delegate's account does not want it.
        Declined = "declined",
        /// It was taken back.
        Revoked = "revoked",
    }
}

words! {
    /// How something that is audited ended.
    AuditOutcome {
        /// It was done.
        Success = "success",
        /// It could not be done.
        Failure = "failure",
        /// It was not allowed.
        Denied = "denied",
    }
}

words! {
    /// How a delivery stands.
    DeliveryState {
        /// It will be tried, once more or for the first time.
        Pending = "pending",
        /// It was taken.
        Delivered = "delivered",
        /// It will not be tried any more.
        Dead = "dead",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_at_rest_in_tables_and_on_the_wire() {
        fn check<T: Copy + FromStr + Serialize + PartialEq + std::fmt::Debug>(all: &[T], as_str: fn(T) -> &'static str) {
            for word in all {
                assert_eq!(as_str(*word).parse::<T>().ok(), Some(*word));
                assert_eq!(serde_json::to_value(word).unwrap(), as_str(*word));
            }
        }
        check(AgentType::ALL, AgentType::as_str);
        check(TrustLevel::ALL, TrustLevel::as_str);
        check(Status::ALL, Status::as_str);
        check(DelegationStatus::ALL, DelegationStatus::as_str);
        check(AuditOutcome::ALL, AuditOutcome::as_str);
        check(DeliveryState::ALL, DeliveryState::as_str);
        assert_eq!("Active".parse::<Status>(), Err(UnknownWord));
    }
}
