//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523) with the identity assertion of a registration.

use super::{Authorized, Denied, admit};
use crate::config::Resource;
use crate::cx::Cx;
use crate::machine::registration::Proof;
use crate::oauth::scope::Scope;
use crate::store::Ports;
use crate::verify;

pub(super) async fn authorize<P: Ports>(
    assertion: &str,
    resource: Option<&Resource>,
    scope: Option<Scope>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let claims = verify::identity_assertion(assertion, cx).await.map_err(Denied::Assertion)?.custom;
    let resource = resource.ok_or(Denied::Resource)?;
    let proof = || Proof::Assertion { generation: claims.generation };
    match admit(&claims.sub, proof, cx).await? {
        Some(admitted) => Authorized::within(&claims.sub, admitted, resource, scope, cx),
        None => Err(Denied::Registration(claims.sub)),
    }
}
