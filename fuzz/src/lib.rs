//! Fuzz targets. Each takes any bytes and must neither panic nor break the law stated beside it.
//!
//! `fuzz/run.sh SECONDS` runs them under libFuzzer; `cargo test` runs them over their seeds and over damaged seeds.

mod back_ends;
mod json;
#[cfg(feature = "service")]
mod key_file;
mod message;
mod object;
mod object_audit;
mod partition_file;
#[cfg(feature = "service")]
mod pieces;
mod possession;
mod receipt;
mod registration;
mod response;
mod text;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line and of its folders.
    pub name: &'static str,
    /// What the fuzzer calls; whether the bytes were accepted.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from; all are accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().chain(OF_SERVICE)
}

/// Targets of the engine and of partitions.
const TARGETS: &[Target] = &[
    Target { name: "back_ends", run: back_ends::run, seeds: back_ends::seeds },
    Target { name: "intent", run: registration::intent, seeds: registration::intent_seeds },
    Target {
        name: "registration",
        run: registration::registration_bytes,
        seeds: registration::registration_seeds,
    },
    Target {
        name: "window_record",
        run: registration::window_record,
        seeds: registration::window_record_seeds,
    },
    Target { name: "commitment", run: registration::commitment, seeds: registration::commitment_seeds },
    Target { name: "challenge", run: registration::challenge, seeds: registration::challenge_seeds },
    Target { name: "space_response", run: response::space, seeds: response::space_seeds },
    Target { name: "seal_response", run: response::seal, seeds: response::seal_seeds },
    Target { name: "opening", run: response::opening, seeds: response::opening_seeds },
    Target { name: "receipt", run: receipt::receipt, seeds: receipt::receipt_seeds },
    Target { name: "evidence", run: receipt::evidence, seeds: receipt::evidence_seeds },
    Target { name: "pair_proof", run: receipt::pair_proof, seeds: receipt::pair_proof_seeds },
    Target { name: "chain_file", run: receipt::chain_file, seeds: receipt::chain_file_seeds },
    Target { name: "header", run: partition_file::header, seeds: partition_file::header_seeds },
    Target { name: "table_page", run: partition_file::table_page, seeds: partition_file::table_page_seeds },
    Target {
        name: "journal_page",
        run: partition_file::journal_page,
        seeds: partition_file::journal_page_seeds,
    },
    Target { name: "object_entry", run: object::entry, seeds: object::entry_seeds },
    Target { name: "object_address", run: object::address, seeds: object::address_seeds },
    Target { name: "object_record", run: object_audit::record, seeds: object_audit::record_seeds },
    Target { name: "object_challenge", run: object_audit::challenge, seeds: object_audit::challenge_seeds },
    Target {
        name: "token_challenge",
        run: object_audit::token_challenge,
        seeds: object_audit::token_challenge_seeds,
    },
    Target {
        name: "points_header",
        run: object_audit::points_header,
        seeds: object_audit::points_header_seeds,
    },
    Target { name: "commitment_table", run: object_audit::table, seeds: object_audit::table_seeds },
    Target { name: "store_check", run: object_audit::store_check, seeds: object_audit::store_check_seeds },
    Target {
        name: "chunks_response",
        run: object_audit::chunks_response,
        seeds: object_audit::chunks_response_seeds,
    },
    Target {
        name: "link_response",
        run: object_audit::link_response,
        seeds: object_audit::link_response_seeds,
    },
    Target {
        name: "token_response",
        run: object_audit::token_response,
        seeds: object_audit::token_response_seeds,
    },
    Target { name: "possession_plain", run: possession::plain, seeds: possession::plain_seeds },
    Target {
        name: "possession_compressed",
        run: possession::compressed,
        seeds: possession::compressed_seeds,
    },
    Target { name: "possession_kept_table", run: possession::kept, seeds: possession::kept_seeds },
    Target { name: "policy", run: json::policy, seeds: json::policy_seeds },
    Target { name: "manifest", run: json::manifest, seeds: json::manifest_seeds },
    Target { name: "stakes_json", run: text::stakes_json, seeds: text::stakes_json_seeds },
    Target { name: "stakes_csv", run: text::stakes_csv, seeds: text::stakes_csv_seeds },
    Target { name: "account", run: text::account, seeds: text::account_seeds },
    Target { name: "size", run: text::size, seeds: text::size_seeds },
    Target { name: "message_header", run: message::header, seeds: message::header_seeds },
    Target { name: "ticket", run: message::ticket, seeds: message::ticket_seeds },
];

/// Targets of the service, which takes far longer to build for the fuzzer than everything else (feature `service`).
#[cfg(feature = "service")]
const OF_SERVICE: &[Target] = &[
    Target { name: "file_manifest", run: pieces::manifest, seeds: pieces::manifest_seeds },
    Target { name: "file_manifest_body", run: pieces::manifest_body, seeds: pieces::manifest_body_seeds },
    Target { name: "key_file", run: key_file::run, seeds: key_file::seeds },
];
#[cfg(not(feature = "service"))]
const OF_SERVICE: &[Target] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_hold_on_their_seeds_and_on_damaged_seeds() {
        for target in targets() {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            for seed in seeds {
                assert!((target.run)(&seed), "{} refuses a seed", target.name);
                for damaged in damage(&seed) {
                    (target.run)(&damaged);
                }
            }
        }
    }

    /// Cut short, too long, and one byte wrong, at places spread over the seed and all over its head.
    fn damage(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let places = (0..seed.len().min(256)).chain((256..seed.len()).step_by(211));
        let at = places.flat_map(|place| {
            let mut flipped = seed.to_vec();
            flipped[place] ^= 0xff;
            [flipped, seed[..place].to_vec()]
        });
        at.chain([[seed, &[0]].concat()])
    }
}
