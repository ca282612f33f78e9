//! What refusals are called in our log and to the operator; the wire has fewer words.

use std::fmt;

use super::device::DeviceRefusal;
use super::grant::GrantRefusal;
use super::registration::claim::ClaimRefusal;

impl fmt::Display for GrantRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unknown => "the code or token is not one of ours, or is forgotten",
            Self::Ended => "the grant has ended, or its person is barred",
            Self::Expired => "the code or token is too old",
            Self::Replayed => "the code or token was used before: what it brought has ended",
            Self::Client => "the code or token is another client's",
            Self::RedirectUri => "the redirect_uri is not that of the authorization request",
            Self::Verifier => "the code_verifier is not that of the code_challenge",
            Self::Resource => "the code or token is for another resource",
            Self::Scope => "more scope is asked for than was granted",
            Self::Key => "the code or token is bound to another key",
            Self::Taken => "the number of the new token is taken",
            Self::Proof => "the client proves less of itself than when this began",
            Self::Full => "so many tokens were issued lately that no place in a status list is left",
        })
    }
}

impl fmt::Display for DeviceRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "nobody has answered the device yet",
            Self::SlowDown => "the device polls too often, or in several copies at once",
            Self::Denied => "the person has said no to the device",
            Self::Expired => "the device_code is too old",
            Self::Served => "the device has its tokens already",
            Self::Client => "the device_code is another client's",
            Self::Resource => "the device_code is for another resource",
            Self::Unknown => "the device_code is not one of ours, or nobody can answer it any more",
        })
    }
}

impl fmt::Display for ClaimRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unknown => "the claim token is not that of a registration",
            Self::Claimed => "the registration is claimed already",
            Self::Delivered => "the registration is claimed, and what that brings was delivered",
            Self::Revoked => "the registration has ended",
            Self::Expired => "the registration, or the attempt to claim it, is too old",
            Self::HintFixed => "only the address that the registration began with may claim it",
            Self::TooMany(wait) => return write!(formatter, "too many attempts or wrong codes, for {} seconds", wait.seconds()),
            Self::InFlight => "a person is at it",
            Self::Kind => "a registration of this kind cannot be claimed by ID-JAG",
            Self::NoAttempt => "no attempt to claim it was begun",
            Self::NotConfirmed => "nobody has confirmed yet",
            Self::CodeOver => "the code is too old, or there were too many wrong ones",
            Self::WrongCode => "that is not the code",
            Self::Denied => "the person has said no",
            Self::OtherPath => "the person has taken the other way to confirm",
            Self::WrongPerson => "another person may answer, and not this one",
        })
    }
}
