//! What a job is to do, as it was submitted.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine_service::{EngineError, policy_of};
use crate::proto;
use crate::wire::bytes32;

/// Longest request id.
const ID_BYTES_MAX: usize = 64;
/// Longest policy in JSON.
const POLICY_BYTES_MAX: usize = 64 << 10;

/// Which of several jobs that wait is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// After all others.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// All that a job is asked for. Two submissions are the same job if these are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Where.
    pub directory: PathBuf,
    /// When.
    pub priority: Priority,
    /// How fast at most.
    pub bytes_per_second: Option<u64>,
    /// What.
    pub work: Work,
}

/// The kinds of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// Make and write every window that is not there.
    Fill,
    /// Read everything back.
    Scrub {
        /// Make damaged windows again.
        repair: bool,
    },
    /// Change the number of windows of a partition.
    Resize {
        /// Which partition.
        partition_id: u64,
        /// The new number.
        windows: u64,
    },
    /// Commit to objects.
    Commit {
        /// Only this one; all that wait if none is given.
        object_root: Option<[u8; 32]>,
    },
    /// Audit how windows were made.
    SealAudit {
        /// By name or as JSON.
        policy: String,
        /// What chooses what is asked.
        beacon: Option<[u8; 32]>,
        /// Make whole windows again.
        replay: bool,
        /// How many.
        windows: Option<u64>,
    },
}

impl Terms {
    /// The request id and the terms of a submission, checked for themselves.
    pub(in crate::engine_service) fn read(
        request: proto::SubmitRequest,
    ) -> Result<(String, Terms), EngineError> {
        let priority = match request.priority() {
            proto::Priority::Unspecified | proto::Priority::Normal => Priority::Normal,
            proto::Priority::Low => Priority::Low,
            proto::Priority::High => Priority::High,
        };
        let work = Work::read(&request)?;
        let proto::SubmitRequest { request_id, directory, rate_limit_bytes, .. } = request;
        let printable = request_id.bytes().all(|byte| byte.is_ascii_graphic());
        if request_id.is_empty() || request_id.len() > ID_BYTES_MAX || !printable {
            return Err(EngineError::usage(format!(
                "the request id {request_id:?} is not 1 to {ID_BYTES_MAX} characters of printable ASCII without spaces"
            )));
        }
        let bytes_per_second = (rate_limit_bytes > 0).then_some(rate_limit_bytes);
        Ok((request_id, Terms { directory: directory.into(), priority, bytes_per_second, work }))
    }
}

impl Work {
    fn read(request: &proto::SubmitRequest) -> Result<Work, EngineError> {
        let kind = request.kind();
        let given = [
            (proto::JobKind::Scrub, request.scrub.is_some()),
            (proto::JobKind::Resize, request.resize.is_some()),
            (proto::JobKind::Commit, request.commit.is_some()),
            (proto::JobKind::SealAudit, request.seal_audit.is_some()),
        ];
        if let Some((foreign, _)) = given.iter().find(|(of, given)| *given && *of != kind) {
            return Err(EngineError::usage(format!(
                "the terms are of {}, the kind is {}",
                foreign.as_str_name(),
                kind.as_str_name()
            )));
        }
        match kind {
            proto::JobKind::Unspecified => Err(EngineError::usage("the request names no kind of job")),
            proto::JobKind::Fill => Ok(Work::Fill),
            proto::JobKind::Scrub => {
                Ok(Work::Scrub { repair: request.scrub.is_some_and(|terms| terms.repair) })
            }
            proto::JobKind::Resize => match request.resize {
                Some(proto::ResizeTerms { partition_id, windows }) if windows > 0 => {
                    Ok(Work::Resize { partition_id, windows })
                }
                _ => Err(EngineError::usage("a resize names a partition and at least one window")),
            },
            proto::JobKind::Commit => {
                let root = request.commit.as_ref().map(|terms| &terms.object_root[..]).unwrap_or_default();
                Ok(Work::Commit { object_root: optional("object root", root)? })
            }
            proto::JobKind::SealAudit => Work::seal_audit(request.seal_audit.clone().unwrap_or_default()),
        }
    }

    fn seal_audit(terms: proto::SealAuditTerms) -> Result<Work, EngineError> {
        let proto::SealAuditTerms { policy, beacon, replay, windows } = terms;
        if policy.len() > POLICY_BYTES_MAX {
            let found = policy.len();
            return Err(EngineError::usage(format!("a policy of {found} bytes; at most {POLICY_BYTES_MAX}")));
        }
        policy_of(&policy)?;
        let beacon = optional("beacon", &beacon)?;
        Ok(Work::SealAudit { policy, beacon, replay, windows: (windows > 0).then_some(windows) })
    }

    /// The name of the kind, as the command is called.
    pub fn name(&self) -> &'static str {
        match self {
            Work::Fill => "fill",
            Work::Scrub { .. } => "scrub",
            Work::Resize { .. } => "resize",
            Work::Commit { .. } => "commit",
            Work::SealAudit { .. } => "seal-audit",
        }
    }

    pub(in crate::engine_service) fn kind(&self) -> proto::JobKind {
        match self {
            Work::Fill => proto::JobKind::Fill,
            Work::Scrub { .. } => proto::JobKind::Scrub,
            Work::Resize { .. } => proto::JobKind::Resize,
            Work::Commit { .. } => proto::JobKind::Commit,
            Work::SealAudit { .. } => proto::JobKind::SealAudit,
        }
    }
}

/// 32 bytes, or none for no bytes.
fn optional(what: &'static str, bytes: &[u8]) -> Result<Option<[u8; 32]>, EngineError> {
    if bytes.is_empty() { Ok(None) } else { Ok(Some(bytes32(what, bytes)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::{Code, Status};

    fn refused(request: proto::SubmitRequest) -> Code {
        Status::from(Terms::read(request).expect_err("refused")).code()
    }

    #[test]
    fn terms_that_contradict_themselves_are_refused() {
        let fill = proto::SubmitRequest {
            request_id: "x".to_owned(),
            kind: proto::JobKind::Fill.into(),
            ..proto::SubmitRequest::default()
        };
        let (id, terms) = Terms::read(fill.clone()).expect("a fill");
        assert_eq!((id.as_str(), terms.priority, terms.work), ("x", Priority::Normal, Work::Fill));
        let of = |kind: proto::JobKind| proto::SubmitRequest { kind: kind.into(), ..fill.clone() };
        let scrub = Some(proto::ScrubTerms { repair: true });
        let resize = Some(proto::ResizeTerms { partition_id: 1, windows: 0 });
        let beacon = proto::SealAuditTerms { beacon: vec![1; 31].into(), ..proto::SealAuditTerms::default() };
        let policy = proto::SealAuditTerms { policy: "none".to_owned(), ..proto::SealAuditTerms::default() };
        for request in [
            proto::SubmitRequest { request_id: String::new(), ..fill.clone() },
            proto::SubmitRequest { request_id: "two words".to_owned(), ..fill.clone() },
            proto::SubmitRequest { request_id: "x".repeat(65), ..fill.clone() },
            proto::SubmitRequest { scrub, ..fill.clone() },
            of(proto::JobKind::Unspecified),
            of(proto::JobKind::Resize),
            proto::SubmitRequest { resize, ..of(proto::JobKind::Resize) },
            proto::SubmitRequest { seal_audit: Some(beacon), ..of(proto::JobKind::SealAudit) },
            proto::SubmitRequest { seal_audit: Some(policy), ..of(proto::JobKind::SealAudit) },
        ] {
            assert_eq!(refused(request), Code::InvalidArgument);
        }
    }
}
