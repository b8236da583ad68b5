//! Jobs on real files through a real socket.

use super::support::{Ground, LONG};
use crate::local::disks::Disk;
use crate::proto::{self, JobKind, JobRequest, JobStatus, ResizeTerms, ScrubTerms, SealAuditTerms};

fn request_of(id: &str) -> JobRequest {
    JobRequest { request_id: id.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_filled_scrubbed_audited_and_resized_by_calls() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let disk = Disk::open(&ground.settings.directories[0]).expect("allocated");
    let (windows, partition_id) = {
        let partition = &disk.manifest.partitions[0];
        (partition.windows, disk.registration(partition).expect("registered").partition_id)
    };
    let filled = engine.done(ground.job("fill", JobKind::Fill)).await;
    assert_eq!(filled["windows_filled"], windows);
    let state = engine.watch_to_end("fill").await;
    assert_eq!((state.done_bytes, state.total_bytes), (windows << 15, windows << 15));

    let scrub = Some(ScrubTerms { repair: true });
    let scrubbed = engine.done(proto::SubmitRequest { scrub, ..ground.job("scrub", JobKind::Scrub) }).await;
    assert_eq!((&scrubbed["windows_checked"], &scrubbed["bad_windows"]), (&windows.into(), &0.into()));

    let terms = SealAuditTerms { policy: "test".to_owned(), ..SealAuditTerms::default() };
    let audit = proto::SubmitRequest { seal_audit: Some(terms), ..ground.job("seal", JobKind::SealAudit) };
    assert_eq!(engine.done(audit).await["verdict"], "accepted");

    let resize = |partition_id, windows| Some(ResizeTerms { partition_id, windows });
    let smaller = proto::SubmitRequest {
        resize: resize(partition_id, windows - 3),
        ..ground.job("resize", JobKind::Resize)
    };
    let resized = engine.done(smaller).await;
    assert_eq!(resized["changes"][0]["windows"], windows - 3);
    let disk = Disk::open(&ground.settings.directories[0]).expect("allocated");
    assert_eq!(disk.manifest.partitions[0].windows, windows - 3);
    let nowhere = proto::SubmitRequest { resize: resize(77, 1), ..ground.job("nowhere", JobKind::Resize) };
    engine.submit(nowhere).await.expect("is taken");
    let state = engine.watch_to_end("nowhere").await;
    assert_eq!((state.status(), state.failure_kind.as_str()), (JobStatus::Failed, "not-found"));
    engine.done(ground.job("commit", JobKind::Commit)).await;

    let listed = engine.client.list_jobs(proto::ListJobsRequest {}).await.expect("answers").into_inner();
    let ids: Vec<&str> = listed.jobs.iter().map(|job| job.request_id.as_str()).collect();
    assert_eq!(ids, ["fill", "scrub", "seal", "resize", "nowhere", "commit"]);
    engine.stop().await;
}

/// A fill that is slow enough to be met in the middle.
pub(super) fn slow(ground: &Ground, id: &str) -> proto::SubmitRequest {
    proto::SubmitRequest { rate_limit_bytes: 64 << 10, ..ground.job(id, JobKind::Fill) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_is_paused_resumed_and_cancelled_and_keeps_what_it_has() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    engine.submit(slow(&ground, "slow")).await.expect("is taken");
    engine.watch_until("slow", |state| state.done_bytes > 0).await;
    let paused = engine.client.pause(request_of("slow")).await.expect("pauses").into_inner();
    assert_eq!(paused.state.expect("a state").status(), JobStatus::Paused);
    let resumed = engine.client.resume(request_of("slow")).await.expect("resumes").into_inner();
    assert_eq!(resumed.state.expect("a state").status(), JobStatus::Running);
    engine.client.pause(request_of("slow")).await.expect("pauses");
    engine.client.cancel(request_of("slow")).await.expect("cancels");
    let ended = engine.watch_to_end("slow").await;
    assert_eq!(ended.status(), JobStatus::Cancelled);
    assert!(ended.done_bytes < ended.total_bytes, "it was in the middle");
    let filled = engine.done(ground.job("whole", JobKind::Fill)).await;
    let kept = filled["windows_kept"].as_u64().expect("a number");
    assert!(kept << 15 >= ended.done_bytes, "{kept} windows kept of {} bytes", ended.done_bytes);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_streams_and_jobs_and_the_next_engine_goes_on() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    engine.submit(slow(&ground, "slow")).await.expect("is taken");
    let request = proto::WatchRequest { request_id: "slow".to_owned() };
    let mut states = engine.client.watch(request).await.expect("is watched").into_inner();
    engine.watch_until("slow", |state| state.done_bytes > 0).await;
    engine.stop().await;
    let told = async {
        loop {
            match states.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("an end without a word"),
                Err(status) => return status,
            }
        }
    };
    let told = tokio::time::timeout(LONG, told).await.expect("ends");
    assert_eq!(told.code(), tonic::Code::Unavailable, "{told}");

    let mut engine = ground.start().await;
    let job = engine.submit(slow(&ground, "slow")).await.expect("is the same job");
    assert_eq!(job.state.expect("a state").status(), JobStatus::Running);
    engine.client.cancel(request_of("slow")).await.expect("cancels");
    engine.watch_to_end("slow").await;
    let filled = engine.done(ground.job("whole", JobKind::Fill)).await;
    assert!(filled["windows_kept"].as_u64().expect("a number") > 0);
    engine.stop().await;
}

/// The directory is locked for whoever holds it, not for the engine only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_another_process_changes_fails_the_job_by_its_kind() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let disk = Disk::open(&ground.settings.directories[0]).expect("allocated");
    let lock = disk.lock().expect("free");
    engine.submit(ground.job("held", JobKind::Fill)).await.expect("is taken");
    let state = engine.watch_to_end("held").await;
    assert_eq!((state.status(), state.failure_kind.as_str()), (JobStatus::Failed, "locked"));
    drop(lock);
    engine.done(ground.job("free", JobKind::Fill)).await;
    engine.stop().await;
}
