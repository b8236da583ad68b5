//! The first pass over a file: its ciphertext is kept, and what all pieces will be is found out. Pieces are not kept: they follow from the
//! ciphertext and the placement secret.

use std::io::{self, BufWriter, Read, Write};

use holdfast_engine::tree::RootHasher;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ahead::read_ahead;
use super::library::{Library, PutDirectory, sync_directory, write_durably};
use super::{ClientError, PutOptions};
use crate::pieces::{Content, Encoder, Manifest, PlacementSecret, PrivatePart, Segment};

const PLAN: &str = "plan.json";
const VERSION: u32 = 1;
/// Bytes that are written at once.
const SPOOL_BUFFER_BYTES: usize = 1 << 20;

/// What a file was cut into.
#[derive(Debug)]
pub(super) struct Plan {
    /// Without holders.
    pub(super) manifest: Manifest,
    /// Roots of the pieces of generation 0, by segment and shard.
    pub(super) roots: Vec<Vec<[u8; 32]>>,
    /// Whether miners are to commit to their pieces.
    pub(super) commit: bool,
    /// Sealed tokens of each piece.
    pub(super) tokens: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    version: u32,
    manifest: String,
    roots: Vec<Vec<String>>,
    #[serde(default)]
    commit: bool,
    #[serde(default)]
    tokens: u32,
}

impl Plan {
    /// What an interrupted put was to be.
    pub(super) fn read(put: &PutDirectory) -> Result<Plan, ClientError> {
        let path = put.path.join(PLAN);
        let bytes = std::fs::read(&path).map_err(ClientError::file("read", &path))?;
        Plan::decode(&bytes).map_err(|reason| ClientError::Damaged { path, reason })
    }

    fn decode(bytes: &[u8]) -> Result<Plan, String> {
        let file: PlanFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!("version {}, not {VERSION}", file.version));
        }
        let manifest = hex::decode(&file.manifest).map_err(|error| error.to_string())?;
        let manifest = Manifest::decode(&manifest).map_err(|rejection| rejection.to_string())?;
        let root = |text: &String| {
            let mut root = [0; 32];
            hex::decode_to_slice(text, &mut root).map(|()| root).map_err(|error| error.to_string())
        };
        let roots = file.roots.iter().map(|segment| segment.iter().map(root).collect());
        let roots = roots.collect::<Result<Vec<Vec<_>>, String>>()?;
        let shards = usize::from(manifest.policy().shards());
        if roots.len() != manifest.segments().len() || roots.iter().any(|segment| segment.len() != shards) {
            return Err("roots of other pieces than the manifest has".to_owned());
        }
        Ok(Plan { manifest, roots, commit: file.commit, tokens: file.tokens })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let roots = self.roots.iter().map(|segment| segment.iter().map(hex::encode).collect()).collect();
        let (manifest, commit, tokens) = (hex::encode(&*self.manifest.encode()), self.commit, self.tokens);
        let file = PlanFile { version: VERSION, manifest, roots, commit, tokens };
        Zeroizing::new(serde_json::to_vec(&file).expect("texts and numbers make JSON"))
    }
}

/// Reads the source to its end. From then on the put can be resumed.
pub(super) fn spool(
    library: &Library,
    source: impl Read + Send,
    options: &PutOptions,
    expires_at: u64,
) -> Result<(PutDirectory, Plan), ClientError> {
    let mut put = library.begin_put()?;
    // The ciphertext is not synced: it outlives this process, and if the machine loses power, that it is not whole is seen by its roots. A
    // sync would have the disk write every byte once more than the pieces need.
    let plan = cut(&put, source, options, expires_at)?;
    write_durably(&put.path.join(PLAN), &plan.encode())?;
    sync_directory(&put.path)?;
    library.name_put(&mut put, &plan.manifest.ciphertext().root)?;
    Ok((put, plan))
}

fn cut(
    put: &PutDirectory,
    source: impl Read + Send,
    options: &PutOptions,
    expires_at: u64,
) -> Result<Plan, ClientError> {
    let mut plain = Hashed { source, hasher: RootHasher::default(), bytes: 0 };
    let secret = PlacementSecret::generate()?;
    let (mut segments, mut roots) = (Vec::new(), Vec::new());
    let ciphertext = {
        let stored: Box<dyn Read + Send + '_> = match &options.recipients {
            Some(recipients) => Box::new(recipients.encrypting(&mut plain)?),
            None => Box::new(&mut plain),
        };
        let sink = BufWriter::with_capacity(SPOOL_BUFFER_BYTES, &put.ciphertext);
        // One thread encrypts and writes, this one makes pieces.
        let (mut tee, content) = read_ahead(Tee { source: stored, sink }, |ciphertext| {
            let mut encoder = Encoder::new(ciphertext, options.policy, &secret);
            while let Some(encoded) = encoder.next_segment(|_| Ok(io::sink()))? {
                segments.push(Segment::of(&encoded, &[]));
                roots.push(encoded.shards.iter().map(|shard| shard.content.root).collect());
                options.watch.moved(encoded.length_bytes);
            }
            Ok::<_, ClientError>(encoder.content())
        });
        tee.sink.flush().map_err(ClientError::file("write", &put.path))?;
        content?
    };
    let file = Content { root: plain.hasher.root(), length_bytes: plain.bytes };
    let private = PrivatePart { name: options.name.clone(), file };
    let manifest =
        Manifest::new(Some(private), ciphertext, options.policy, secret, Some(expires_at), segments)
            .map_err(crate::pieces::ManifestError::Rejected)?;
    Ok(Plan { manifest, roots, commit: options.commit, tokens: options.tokens })
}

/// Hashes what is read.
struct Hashed<R> {
    source: R,
    hasher: RootHasher,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Keeps what is read.
struct Tee<R, W> {
    source: R,
    sink: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.sink.write_all(&buffer[..read])?;
        Ok(read)
    }
}
