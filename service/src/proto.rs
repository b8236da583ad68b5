//! What prost and tonic make of the files under `proto/`, and the canonical encodings of its messages.

#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)] // generated; the .proto files carry the comments

tonic::include_proto!("holdfast.v1");

/// The descriptors of all files, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/holdfast_v1.bin"));
