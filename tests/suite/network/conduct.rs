//! Conducts in audits that several tests share.

use std::time::Duration;

use holdfast_service::proto::{ChallengeEvent, ChallengeRequest};
use tokio_stream::StreamExt;
use tonic::{Status, async_trait};

use super::scene::DEADLINE_MS;
use super::station::{Asked, Conduct, Events, Me, body, listed};

/// Gives other answers than the real miner, which is asked first.
pub(crate) struct Answering<F>(pub(crate) F);

#[async_trait]
impl<F> Conduct for Answering<F>
where
    F: Fn(&Me, Vec<Asked>) -> Events<ChallengeEvent> + Send + Sync,
{
    async fn challenge(&self, me: &Me, request: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        let asked = me.honest(request).await?;
        Ok((self.0)(me, asked))
    }
}

/// Promises and gives what this makes of a challenge and the honest answer; nothing where it makes nothing.
pub(crate) fn bodies(
    make: impl Fn(&Asked, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> impl Conduct + 'static {
    Answering(move |me: &Me, asked: Vec<Asked>| {
        let mut events = Vec::new();
        for asked in &asked {
            let honest = asked.honest.as_deref().unwrap_or_default();
            if let Some(response) = make(asked, honest) {
                events.push(me.promise(asked, &response));
                events.extend(body(asked.place, &response));
            }
        }
        listed(events)
    })
}

/// Has everything, and gives it after the deadline.
pub(crate) struct Late;

#[async_trait]
impl Conduct for Late {
    async fn challenge(&self, me: &Me, request: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        let events = me.behind.clone().challenge(request).await?.into_inner();
        // This is what it does: it takes its time.
        let held = tokio_stream::once(()).then(|()| tokio::time::sleep(late()));
        Ok(Box::pin(held.map(|()| None).chain(events.map(Some)).filter_map(|event| event)))
    }
}

fn late() -> Duration {
    Duration::from_millis(u64::from(DEADLINE_MS) + 300)
}
