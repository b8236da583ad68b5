//! Somebody in a miner's place who answers with bytes of its own.

use std::net::SocketAddr;
use std::pin::Pin;

use holdfast_engine::tree::{BLOCK_BYTES, Outboard, PAGE_BLOCKS};
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::proto::miner_server::{Miner, MinerServer};
use crate::proto::*;

/// Gives zeros for everything, with a page that is right for zeros.
pub(super) struct Liar;

impl Liar {
    pub(super) async fn serve() -> SocketAddr {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = socket.local_addr().expect("an address");
        let server = tonic::transport::Server::builder().add_service(MinerServer::new(Liar));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(socket)));
        address
    }
}

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

macro_rules! silent {
    ($($method:ident($request:ty) -> $response:ty;)*) => {$(
        fn $method<'s: 'f, 'f>(&'s self, _: Request<$request>) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'f>>
        where Self: 'f {
            Box::pin(async { Err(Status::unavailable("a liar")) })
        }
    )*};
}

#[async_trait]
impl Miner for Liar {
    type CommitmentStream = Events<Part>;
    type ChallengeStream = Events<ChallengeEvent>;
    type RetrieveStream = Events<RetrieveEvent>;
    type TableStream = Events<Part>;

    async fn retrieve(
        &self,
        request: Request<RetrieveRequest>,
    ) -> Result<Response<Self::RetrieveStream>, Status> {
        let request = request.into_inner();
        let length = request.object.map_or(0, |object| object.length_bytes);
        let zeros = vec![0; usize::try_from(length).expect("small")];
        let pages: Vec<_> = Outboard::of(&zeros).pages().collect();
        let block = |byte: u64| byte / BLOCK_BYTES as u64;
        let end = request.offset_bytes + request.length_bytes;
        let (mut events, mut next) = (Vec::new(), block(request.offset_bytes));
        while next * (BLOCK_BYTES as u64) < end {
            let group = next / PAGE_BLOCKS as u64;
            let last = ((group + 1) * PAGE_BLOCKS as u64).min(end.div_ceil(BLOCK_BYTES as u64));
            let offset_bytes = next * BLOCK_BYTES as u64;
            let bytes = (last * BLOCK_BYTES as u64).min(length) - offset_bytes;
            let page = pages.get(usize::try_from(group).expect("small")).map(|page| page.to_vec());
            events.push(Ok(RetrieveEvent {
                group,
                page: page.unwrap_or_default().into(),
                offset_bytes,
                blocks: vec![0; usize::try_from(bytes).expect("small")].into(),
            }));
            next = last;
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(events))))
    }

    silent! {
        ping(PingRequest) -> PingResponse;
        allocation(AllocationRequest) -> AllocationResponse;
        commitment(CommitmentRequest) -> Self::CommitmentStream;
        challenge(ChallengeRequest) -> Self::ChallengeStream;
        countersign(CountersignRequest) -> CountersignResponse;
        store(Streaming<StoreRequest>) -> StoreResponse;
        store_progress(StoreProgressRequest) -> StoreProgressResponse;
        table(TableRequest) -> Self::TableStream;
        keep_record(KeepRecordRequest) -> KeepRecordResponse;
        record(RecordRequest) -> RecordResponse;
        delete(DeleteRequest) -> DeleteResponse;
        status(StatusRequest) -> StatusResponse;
    }
}
