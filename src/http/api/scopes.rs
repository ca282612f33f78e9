//! Which scopes there are.

use bytes::Bytes;
use http::Response;

use super::route::Api;
use crate::cx::Cx;
use crate::http::Sent;
use crate::http::refuse::Refused;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;

pub(super) async fn serve<P: Ports>(_api: Api<'_>, _sent: &Sent<'_>, _cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    Err(Refused::new(ErrorCode::NotFound, "no such path"))
}
