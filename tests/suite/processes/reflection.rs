//! Services as tools find them that know none of our files, such as `grpcurl`: by reflection, and by the health of each.

use std::net::SocketAddr;
use std::str::FromStr;

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::network::Network;

#[test]
fn who_knows_nothing_finds_services_methods_and_messages_and_can_call_them() {
    let network = Network::start(1);
    let miner = network.miners[0].proxy.address;
    let validator = network.validator_endpoint();
    network.runtime.block_on(async {
        explore(miner, "holdfast.v1.Miner", &["Ping", "Challenge", "Store", "Retrieve"]).await;
        explore(validator, "holdfast.v1.Validator", &["Ping", "Place", "Register", "Locate"]).await;
    });
}

async fn explore(node: SocketAddr, service: &str, methods: &[&str]) {
    let channel = Channel::from_shared(format!("http://{node}")).expect("a URI").connect().await;
    let channel = channel.expect("connects");
    let listed = reflect(&channel, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(listed) = listed else { panic!("{listed:?}") };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    for name in [service, "grpc.health.v1.Health"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }

    let files = reflect(&channel, MessageRequest::FileContainingSymbol(service.to_owned())).await;
    let MessageResponse::FileDescriptorResponse(files) = files else { panic!("{files:?}") };
    let files = files.file_descriptor_proto.iter();
    let files: Vec<_> =
        files.map(|file| FileDescriptorProto::decode(&file[..]).expect("a descriptor")).collect();
    let (package, short) = service.rsplit_once('.').expect("a package");
    let of_package = files.iter().filter(|file| file.package() == package);
    let described = of_package.flat_map(|file| &file.service).find(|found| found.name() == short);
    let described = described.unwrap_or_else(|| panic!("no {service} in its file"));
    for method in methods {
        assert!(described.method.iter().any(|found| found.name() == *method), "{method} of {service}");
    }
    let ping = described.method.iter().find(|method| method.name() == "Ping").expect("above");
    assert_eq!(ping.input_type(), ".holdfast.v1.PingRequest");
    let symbol = ping.input_type().trim_start_matches('.').to_owned();
    let of_message = reflect(&channel, MessageRequest::FileContainingSymbol(symbol)).await;
    assert!(matches!(of_message, MessageResponse::FileDescriptorResponse(_)), "{of_message:?}");

    // A message without a field is one of every kind; it is heard, and refused because nobody has signed it.
    let refused = call(&channel, &format!("/{service}/Ping"), Bytes::new()).await;
    let refused = refused.expect_err("nobody has signed it");
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    let unknown = call(&channel, &format!("/{service}/Pong"), Bytes::new()).await;
    assert_eq!(unknown.expect_err("there is none").code(), Code::Unimplemented);

    let mut health = HealthClient::new(channel);
    let serving = health.check(HealthCheckRequest { service: service.to_owned() }).await.expect("is told");
    assert_eq!(serving.get_ref().status(), ServingStatus::Serving);
}

async fn reflect(channel: &Channel, asked: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(asked) };
    let mut client = ServerReflectionClient::new(channel.clone());
    let answers = client.server_reflection_info(tokio_stream::once(request)).await;
    let answer = answers.expect("answers").into_inner().message().await.expect("goes on");
    answer.expect("an answer").message_response.expect("an answer")
}

/// Calls a method with bytes for a message, and gives the bytes of the answer.
async fn call(channel: &Channel, path: &str, message: Bytes) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    let path = PathAndQuery::from_str(path).expect("a path");
    client.unary(Request::new(message), path, Raw).await.map(tonic::Response::into_inner)
}

/// Messages as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}
