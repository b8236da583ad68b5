//! Ctrl-C and SIGTERM: the first asks the running job to stop cleanly, the second ends the process.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use holdfast_engine::jobs::control::Control;
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice to stop, as shells use it for SIGINT.
const KILLED: i32 = 130;

#[derive(Default)]
struct State {
    signals: u32,
    jobs: Vec<Arc<Control>>,
    services: Vec<CancellationToken>,
}

fn state() -> &'static Mutex<State> {
    static STATE: OnceLock<Mutex<State>> = OnceLock::new();
    STATE.get_or_init(Mutex::default)
}

/// Listens for signals from now on.
pub fn install() {
    // Without a handler a signal ends the process at once, which every job survives as well.
    let _ = ctrlc::set_handler(|| {
        let mut state = state().lock().unwrap_or_else(PoisonError::into_inner);
        state.signals += 1;
        if state.signals > 1 || (state.jobs.is_empty() && state.services.is_empty()) {
            std::process::exit(KILLED);
        }
        let _ = writeln!(std::io::stderr(), "\nstopping after the work in flight; again to stop at once");
        for job in &state.jobs {
            job.cancel();
        }
        state.services.iter().for_each(CancellationToken::cancel);
    });
}

/// A control that signals cancel, with the rate limit given.
pub fn control(bytes_per_second: Option<u64>) -> Arc<Control> {
    let control = Arc::new(Control::with_rate_limit(bytes_per_second));
    let mut state = state().lock().unwrap_or_else(PoisonError::into_inner);
    state.jobs.push(Arc::clone(&control));
    if state.signals > 0 {
        control.cancel();
    }
    control
}

/// A token that signals cancel, for services.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let mut state = state().lock().unwrap_or_else(PoisonError::into_inner);
    state.services.push(token.clone());
    if state.signals > 0 {
        token.cancel();
    }
    token
}
