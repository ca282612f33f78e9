//! `client_credentials` (RFC 6749, section 4.4) with an API key as the client's secret.

use super::{Authorized, Denied, admit};
use crate::config::Resource;
use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::machine::registration::Proof;
use crate::oauth::scope::Scope;
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;

pub(super) async fn authorize<P: Ports>(
    client_id: Option<&str>,
    secret: &str,
    resource: Option<&Resource>,
    scope: Option<Scope>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let key = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, secret, &cx.config.masters)
        .ok_or(Denied::Client("not a key of this deployment"))?;
    let registration = RegistrationId::from_digits(key.digits());
    // The key names its registration; a client_id is not needed, but a wrong one is a mistake worth telling.
    if client_id.is_some_and(|id| id != registration.as_str()) {
        return Err(Denied::Client("the key belongs to another client_id"));
    }
    let resource = resource.ok_or(Denied::Resource)?;
    let proof = || Proof::ApiKey { digests: key.digests().to_vec() };
    match admit(&registration, proof, cx).await? {
        Some(admitted) => Authorized::within(&registration, admitted, resource, scope, cx),
        None => Err(Denied::Client("the key was revoked or has expired")),
    }
}
