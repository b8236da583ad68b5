//! A miner that does all that it should, but commits to other bytes than it has.

use std::net::SocketAddr;
use std::pin::Pin;

use holdfast_engine::possession::points_file::POINTS_HEADER_BYTES;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::proto::miner_client::MinerClient;
use crate::proto::miner_server::{Miner, MinerServer};
use crate::proto::*;

/// Bytes of a point in a table.
const POINT_BYTES: usize = 96;

/// Stands before a miner, and puts the first point of every table in the place of the second.
pub(super) struct Meddler(MinerClient<Channel>);

impl Meddler {
    pub(super) async fn before(miner: SocketAddr) -> SocketAddr {
        let channel = Endpoint::from_shared(format!("http://{miner}")).expect("a URI").connect_lazy();
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = socket.local_addr().expect("an address");
        let service = MinerServer::new(Meddler(MinerClient::new(channel)));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(socket)));
        address
    }
}

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn events<T: Send + 'static>(response: Response<Streaming<T>>) -> Response<Events<T>> {
    Response::new(Box::pin(response.into_inner()))
}

macro_rules! forwarded {
    ($($method:ident($request:ty) -> $response:ty, $then:expr;)*) => {$(
        fn $method<'s: 'f, 'f>(&'s self, request: Request<$request>) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'f>>
        where Self: 'f {
            let mut miner = self.0.clone();
            Box::pin(async move { miner.$method(request.into_inner()).await.map($then) })
        }
    )*};
}

#[async_trait]
impl Miner for Meddler {
    type CommitmentStream = Events<Part>;
    type ChallengeStream = Events<ChallengeEvent>;
    type RetrieveStream = Events<RetrieveEvent>;
    type TableStream = Events<Part>;

    async fn table(&self, request: Request<TableRequest>) -> Result<Response<Self::TableStream>, Status> {
        let table = self.0.clone().table(request.into_inner()).await?.into_inner();
        let meddled = table.map(|part| {
            part.map(|mut part| {
                let mut bytes = part.bytes.to_vec();
                if part.offset_bytes == 0 && bytes.len() > POINTS_HEADER_BYTES + 2 * POINT_BYTES {
                    let first = POINTS_HEADER_BYTES..POINTS_HEADER_BYTES + POINT_BYTES;
                    bytes.copy_within(first.clone(), first.end);
                }
                part.bytes = bytes.into();
                part
            })
        });
        Ok(Response::new(Box::pin(meddled)))
    }

    async fn store(
        &self,
        request: Request<Streaming<StoreRequest>>,
    ) -> Result<Response<StoreResponse>, Status> {
        let parts = request.into_inner().map_while(Result::ok);
        self.0.clone().store(parts).await
    }

    forwarded! {
        ping(PingRequest) -> PingResponse, |response| response;
        allocation(AllocationRequest) -> AllocationResponse, |response| response;
        commitment(CommitmentRequest) -> Self::CommitmentStream, events;
        challenge(ChallengeRequest) -> Self::ChallengeStream, events;
        countersign(CountersignRequest) -> CountersignResponse, |response| response;
        store_progress(StoreProgressRequest) -> StoreProgressResponse, |response| response;
        retrieve(RetrieveRequest) -> Self::RetrieveStream, events;
        keep_record(KeepRecordRequest) -> KeepRecordResponse, |response| response;
        record(RecordRequest) -> RecordResponse, |response| response;
        delete(DeleteRequest) -> DeleteResponse, |response| response;
        status(StatusRequest) -> StatusResponse, |response| response;
    }
}
