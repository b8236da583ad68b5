//! What owners ask of the validator that cares for their files.

use std::time::Duration;

use super::{ANSWER_TIMEOUT, Peer, PeerError, Peers};
use crate::proto::validator_client::ValidatorClient;
use crate::proto::{
    AuditRequest, AuditResponse, ListRequest, ListResponse, LocateRequest, LocateResponse, PingRequest,
    PingResponse, PlaceRequest, PlaceResponse, RegisterRequest, RegisterResponse, ReleaseRequest,
    ReleaseResponse,
};
use crate::wire::canonical::methods;

/// Most bytes of an answer: a manifest of some ten thousand pieces, and who holds them.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// What takes a validator to miners first.
const LONG_TIMEOUT: Duration = Duration::from_secs(120);

/// A request with one answer, signed both ways.
macro_rules! asked {
    ($(#[$doc:meta])* $name:ident, $request:ty, $response:ty, $method:ident, $call:ident, $limit:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`PeerError`].
        pub async fn $name(&self, peer: Peer, mut request: $request) -> Result<$response, PeerError> {
            let asked = self.correspondent.ask(methods::$method, peer.account, &mut request);
            let client = ValidatorClient::new(self.channels.to(peer.endpoint));
            let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
            let response = self.within(peer, $limit, client.$call(request)).await?.into_inner();
            self.heard(peer, &asked, &response)?;
            Ok(response)
        }
    };
}

impl Peers {
    asked!(
        /// Who is there, and at which height.
        ping_validator, PingRequest, PingResponse, VALIDATOR_PING, ping, ANSWER_TIMEOUT
    );
    asked!(
        /// Miners for pieces, with a ticket for each.
        place, PlaceRequest, PlaceResponse, VALIDATOR_PLACE, place, LONG_TIMEOUT
    );
    asked!(
        /// Gives a stored file into care.
        register, RegisterRequest, RegisterResponse, VALIDATOR_REGISTER, register, LONG_TIMEOUT
    );
    asked!(
        /// Where the pieces of a file are.
        locate, LocateRequest, LocateResponse, VALIDATOR_LOCATE, locate, ANSWER_TIMEOUT
    );
    asked!(
        /// A page of this account's files.
        list, ListRequest, ListResponse, VALIDATOR_LIST, list, ANSWER_TIMEOUT
    );
    asked!(
        /// Ends the care of a file.
        release, ReleaseRequest, ReleaseResponse, VALIDATOR_RELEASE, release, LONG_TIMEOUT
    );
    asked!(
        /// Audits a file now.
        audit_file, AuditRequest, AuditResponse, VALIDATOR_AUDIT, audit, LONG_TIMEOUT
    );
}
