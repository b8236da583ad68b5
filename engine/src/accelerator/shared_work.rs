//! Pieces of one job, taken by the processor and by accelerators as each becomes free.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pieces that nobody has taken, pieces that an accelerator failed at, and who is working.
///
/// Whoever is free takes the next piece, so that a fast device does more of them. A piece that an accelerator gave back is the
/// processor's: a device that failed at it once is not asked twice. So is what an accelerator hands over, to be checked.
#[derive(Debug)]
pub struct SharedWork<P> {
    state: Mutex<State<P>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<P> {
    todo: VecDeque<P>,
    given_back: VecDeque<P>,
    /// Accelerator threads that may still give something back.
    accelerators: usize,
    /// Seconds of a piece on each side, as last measured.
    processor_seconds: Option<f64>,
    accelerator_pieces: Vec<Pace>,
    is_stopped: bool,
}

/// How an accelerator thread is doing.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    seconds: Option<f64>,
    began: Option<Instant>,
    is_here: bool,
}

impl<P> SharedWork<P> {
    /// All pieces, in the order in which they are taken, for so many accelerator threads, each of which must call
    /// [`SharedWork::accelerator`] once.
    pub fn new(pieces: impl IntoIterator<Item = P>, accelerators: usize) -> SharedWork<P> {
        let state = State {
            todo: pieces.into_iter().collect(),
            given_back: VecDeque::new(),
            accelerators,
            processor_seconds: None,
            accelerator_pieces: vec![Pace { is_here: true, ..Pace::default() }; accelerators],
            is_stopped: false,
        };
        SharedWork { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The share of accelerator thread number `number`.
    pub fn accelerator(&self, number: usize) -> AcceleratorShare<'_, P> {
        AcceleratorShare { work: self, number }
    }

    /// The next piece for the processor. With `shares_all` it takes any piece; without, only what accelerators gave back or left.
    /// Waits while accelerators work and might still give something back. `None`: all is done, or stopped.
    ///
    /// It leaves the last pieces to accelerators that will have finished them sooner than the processor could.
    pub fn next_for_processor(&self, shares_all: bool) -> Option<P> {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(piece) = state.given_back.pop_front() {
                return Some(piece);
            }
            let is_mine =
                state.accelerators == 0 || (shares_all && !state.processor_would_delay(Instant::now()));
            if let Some(piece) = is_mine.then(|| state.todo.pop_front()).flatten() {
                return Some(piece);
            }
            if state.accelerators == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The processor took so long for its last piece.
    pub fn processor_took(&self, duration: Duration) {
        self.lock().processor_seconds = Some(duration.as_secs_f64());
    }

    /// Nobody gets another piece.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> State<P> {
    /// Whether the accelerators will have made all that is left before the processor had made one piece.
    #[allow(clippy::cast_precision_loss)] // pieces of a job are far below 2^52
    fn processor_would_delay(&self, now: Instant) -> bool {
        let Some(own) = self.processor_seconds else { return false };
        let left = self.todo.len() as f64;
        // Pieces that all accelerators finish within `own` seconds, counted from what each has under way.
        let mut finished = 0.0;
        for pace in self.accelerator_pieces.iter().filter(|pace| pace.is_here) {
            let Some(seconds) = pace.seconds.filter(|seconds| *seconds > 0.0) else { return false };
            let spent = pace.began.map_or(0.0, |began| now.saturating_duration_since(began).as_secs_f64());
            let under_way = pace.began.map_or(0.0, |_| (seconds - spent).max(0.0));
            finished += ((own - under_way) / seconds).floor().max(0.0);
        }
        finished >= left
    }
}

/// One accelerator thread's view of the work. Dropping it says that the thread has ended.
#[derive(Debug)]
pub struct AcceleratorShare<'w, P> {
    work: &'w SharedWork<P>,
    number: usize,
}

impl<P> AcceleratorShare<'_, P> {
    /// The next piece; `None` if there is none left, or work was stopped.
    pub fn next(&self) -> Option<P> {
        let mut state = self.work.lock();
        let piece = if state.is_stopped { None } else { state.todo.pop_front() };
        let pace = &mut state.accelerator_pieces[self.number];
        pace.is_here = true;
        pace.began = piece.is_some().then(Instant::now);
        piece
    }

    /// The accelerator cannot take pieces until [`AcceleratorShare::next`] is called again: nobody leaves any to it.
    pub fn away(&self) {
        let mut state = self.work.lock();
        let was_here = std::mem::take(&mut state.accelerator_pieces[self.number].is_here);
        drop(state);
        if was_here {
            self.work.changed.notify_all();
        }
    }

    /// The piece taken last is done.
    pub fn done(&self) {
        let mut state = self.work.lock();
        let pace = &mut state.accelerator_pieces[self.number];
        pace.seconds = pace.began.take().map(|began| began.elapsed().as_secs_f64());
        drop(state);
        self.work.changed.notify_all();
    }

    /// The piece taken last is done, but for what the processor has to do with it.
    pub fn hand_over(&self, piece: P) {
        self.work.lock().given_back.push_back(piece);
        self.done();
    }

    /// The piece taken last is not done, and the processor's now.
    pub fn give_back(&self, piece: P) {
        let mut state = self.work.lock();
        state.given_back.push_back(piece);
        state.accelerator_pieces[self.number] = Pace { is_here: true, ..Pace::default() };
        drop(state);
        self.work.changed.notify_all();
    }

    /// Whether pieces are left that nobody has taken.
    pub fn is_work_left(&self) -> bool {
        let state = self.work.lock();
        !state.is_stopped && !state.todo.is_empty()
    }
}

impl<P> Drop for AcceleratorShare<'_, P> {
    fn drop(&mut self) {
        let mut state = self.work.lock();
        state.accelerators -= 1;
        state.accelerator_pieces[self.number] = Pace::default();
        drop(state);
        self.work.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_taken_once_and_what_is_given_back_is_the_processor_s() {
        let work = SharedWork::new(0..100, 1);
        let mut by_processor = Vec::new();
        std::thread::scope(|threads| {
            let share = work.accelerator(0);
            threads.spawn(move || {
                while let Some(piece) = share.next() {
                    // Every third one fails.
                    if piece % 3 == 0 { share.give_back(piece) } else { share.done() }
                }
            });
            while let Some(piece) = work.next_for_processor(false) {
                by_processor.push(piece);
            }
        });
        by_processor.sort_unstable();
        assert_eq!(by_processor, (0..100).filter(|piece| piece % 3 == 0).collect::<Vec<_>>());
    }

    #[test]
    fn the_processor_takes_over_when_the_last_accelerator_has_left() {
        let work = SharedWork::new(0..3, 1);
        let share = work.accelerator(0);
        assert_eq!(share.next(), Some(0));
        share.give_back(0);
        drop(share);
        let taken: Vec<i32> = std::iter::from_fn(|| work.next_for_processor(false)).collect();
        assert_eq!(taken, [0, 1, 2]);
    }

    #[test]
    fn nobody_gets_anything_after_a_stop() {
        let work = SharedWork::new(0..3, 1);
        let share = work.accelerator(0);
        work.stop();
        assert_eq!((share.next(), work.next_for_processor(true)), (None, None));
        assert!(!share.is_work_left());
    }

    /// A device that is away for long may never come back.
    #[test]
    fn nothing_is_left_to_a_device_that_is_away() {
        let work = SharedWork::new(0..3, 1);
        let share = work.accelerator(0);
        assert_eq!(share.next(), Some(0));
        share.done();
        work.processor_took(Duration::from_secs(3600));
        share.away();
        let by_processor = || work.next_for_processor(true);
        assert_eq!((by_processor(), by_processor()), (Some(1), Some(2)));
    }

    /// A device that makes a piece in 1 s and is at half of one: within 10 s it makes nine more.
    #[test]
    fn the_last_pieces_are_left_to_a_faster_device() {
        let now = Instant::now();
        let began = now.checked_sub(Duration::from_millis(500));
        let pace = Pace { seconds: Some(1.0), began, is_here: true };
        let state = |left: usize, processor_seconds, pace| State {
            todo: vec![(); left].into(),
            given_back: VecDeque::new(),
            accelerators: 1,
            processor_seconds,
            accelerator_pieces: vec![pace],
            is_stopped: false,
        };
        assert!(state(9, Some(10.0), pace).processor_would_delay(now));
        assert!(!state(10, Some(10.0), pace).processor_would_delay(now));
        assert!(!state(1, None, pace).processor_would_delay(now), "its own pace is not known yet");
        let unknown = Pace { seconds: None, ..pace };
        assert!(
            !state(1, Some(10.0), unknown).processor_would_delay(now),
            "the device's pace is not known yet"
        );
    }
}
