//! `urn:ietf:params:oauth:grant-type:device_code` (RFC 8628, section 3.4): the device polls until its person has answered.

use super::authorization_code::{Approved, spend};
use super::client::Identified;
use super::connection::Connected;
use super::{DEVICE_CODE, Denied};
use crate::cx::Cx;
use crate::dpop;
use crate::id::DeviceId;
use crate::machine::device::{Command, Device, DeviceRefusal, Outcome};
use crate::secret::{DeviceCode, Presented};
use crate::store::Ports;

/// What device codes begin with.
pub const PREFIX: &str = "pdc";

/// One poll. The grant decides, once; the device's record lets one poll at a time come so far, and is told afterwards.
pub(super) async fn poll<P: Ports>(
    code: &str,
    by: &Identified,
    resource: Option<String>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Connected, Denied> {
    if !by.client.metadata.allows_grant(DEVICE_CODE) {
        return Err(Denied::UnauthorizedClient);
    }
    let code = Presented::<DeviceCode>::parse(PREFIX, code, &cx.config.masters).ok_or(Denied::Device(DeviceRefusal::Unknown))?;
    dpop::demand(by.client.metadata.dpop_bound_access_tokens, proof)?;
    let (device, digests) = (DeviceId::from_digits(code.digits()), code.digests().to_vec());
    let command = Command::Poll { code: digests.clone(), client: by.client.id.clone(), resource: resource.clone() };
    let grant = match cx.ports.run::<Device>(&device, command).await? {
        Outcome::Fetch(grant) => grant,
        Outcome::Refused(refusal) => return Err(Denied::Device(refusal)),
        _ => return Err(Denied::Device(DeviceRefusal::Unknown)),
    };
    let approved = Approved { grant, code: digests, challenge: None, redirect_uri: None };
    let connected = spend(approved, by, resource, proof, cx).await?;
    if let Err(error) = cx.ports.run::<Device>(&device, Command::Served).await {
        // The code is used up all the same, and says so to whoever comes with it again.
        cx.ports.warn("device_lost", &error.to_string());
    }
    Ok(connected)
}
