use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use holdfast_engine::challenge::Kind;
use holdfast_engine::receipt::{ChainKey, RoundKind, Subject};
use tokio::sync::{Notify, oneshot};

use super::*;

fn round(subject: u64, challenge: u8) -> Round {
    let [miner, validator] = [1, 2].map(|seed| Account([seed; 32]));
    let key = ChainKey { validator, miner, subject: Subject::Partition(subject) };
    let (challenge_digest, challenge_seed) = ([challenge; 32], [challenge; 32]);
    Round {
        key,
        kind: RoundKind::Partition(Kind::Space),
        height: 9,
        challenge_digest,
        challenge_seed,
        deadline_ms: 1,
    }
}

fn places(answers: &Answers) -> usize {
    answers.lock().asked.len()
}

/// Callers choose what they ask about: places of what cannot be answered would fill the memory, and stand in the way of what can.
#[tokio::test]
async fn what_was_not_answered_leaves_nothing() {
    let (answers, signer) = (Answers::new(1 << 20, 10), Signer::development("miner"));
    for subject in 0..100 {
        let refused = async || Err::<Bytes, _>(MinerError::not_found("nothing is here".to_owned()));
        answers.answer(&round(subject, 1), &signer, refused).await.expect_err("is refused");
    }
    assert_eq!(places(&answers), 0);
    // Whoever leaves before the answer is there leaves nothing, either, as long as nobody else waits.
    let (asked, never) = (round(7, 1), async || std::future::pending().await);
    let mut first = Box::pin(answers.answer(&asked, &signer, never));
    let mut second = Box::pin(answers.answer(&asked, &signer, never));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(first);
    assert_eq!(places(&answers), 1);
    drop(second);
    assert_eq!(places(&answers), 0);
    let body = async || Ok(Bytes::from_static(b"an answer"));
    let first = answers
        .answer(&round(7, 2), &signer, body)
        .await
        .expect("another question, of which nothing was promised");
    assert_eq!(places(&answers), 1);
    let again = async || Err::<Bytes, _>(MinerError::busy("is not computed again"));
    assert_eq!(answers.answer(&round(7, 2), &signer, again).await.expect("as before"), first);
    let other = answers.answer(&round(7, 3), &signer, body).await.expect_err("this one was promised");
    assert!(matches!(other, MinerError::Rejected(_)), "{other}");
    assert_eq!(places(&answers), 1);
}

/// What a token asks for is computed once, so whoever is left would get nothing if it ended with whoever began it.
#[tokio::test]
async fn who_stays_gets_what_somebody_else_began_and_left() {
    let (answers, signer) = (Answers::new(1 << 20, 10), Signer::development("miner"));
    let (asked, began, go_on) = (round(7, 1), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let compute = || {
        let (began, go_on) = (Arc::clone(&began), Arc::clone(&go_on));
        async move {
            began.fetch_add(1, Ordering::Relaxed);
            go_on.notified().await;
            Ok(Bytes::from_static(b"an answer"))
        }
    };
    let mut first = Box::pin(answers.answer(&asked, &signer, compute));
    let mut second = Box::pin(answers.answer(&asked, &signer, compute));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(first);
    go_on.notify_one();
    assert_eq!(second.await.expect("an answer").1, Bytes::from_static(b"an answer"));
    assert_eq!(began.load(Ordering::Relaxed), 1);
}

/// A read of a whole object takes hours.
#[tokio::test]
async fn what_nobody_waits_for_any_more_ends() {
    let (answers, signer) = (Answers::new(1 << 20, 10), Signer::development("miner"));
    let asked = round(7, 1);
    let (sender, ended) = oneshot::channel::<()>();
    let sender = Mutex::new(Some(sender));
    let never = || {
        let held = sender.lock().expect("no panic").take();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(Bytes::new())
        }
    };
    let mut waiting = Box::pin(answers.answer(&asked, &signer, never));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(waiting);
    ended.await.expect_err("what it held is dropped with it");
}

/// An answer that took so long that its round is over is nobody's any more.
#[tokio::test]
async fn an_answer_to_a_round_that_is_over_is_not_kept() {
    let (answers, signer) = (Arc::new(Answers::new(1 << 20, 10)), Signer::development("miner"));
    let late = || {
        let answers = Arc::clone(&answers);
        async move {
            answers.lock().forget_before(1_000);
            Ok(Bytes::from_static(b"late"))
        }
    };
    answers.answer(&round(1, 1), &signer, late).await.expect("an answer");
    assert!(answers.lock().bodies.is_empty());
    assert_eq!(answers.lock().body_bytes, 0);
}
