//! What stands between two processes: a proxy of TCP connections that cuts, holds up, slows down and damages what goes through it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Bytes that are passed on at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From whoever connects to the one behind.
    In,
    /// Back.
    Out,
}

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Connections end, and new ones end at once.
    Cut,
    /// Nothing passes; what was sent comes when the fault is lifted.
    Stall,
    /// Each chunk out takes so much longer.
    Delay(Duration),
    /// The one behind seems to have said all that it has to say, as soon as it says anything.
    HalfClose,
    /// The first connection that has passed so many bytes this way since ends.
    CutAfter(Way, u64),
    /// The first connection that has passed so many bytes this way since is held up, it alone and in this way.
    HoldAfter(Way, u64),
    /// One bit of the first connection that has passed so many bytes this way since comes changed.
    DamageAfter(Way, u64),
}

#[derive(Default)]
struct State {
    behind: Option<SocketAddr>,
    fault: Option<Fault>,
    /// Counts changes of the fault, so that connections begin to count anew.
    era: u64,
    /// Whether the fault has struck here, of those that strike once.
    struck: bool,
    /// Whether it has struck anywhere that it may.
    struck_anywhere: Arc<AtomicBool>,
    /// What came in, if that is kept and not passed on.
    swallowed: Option<Vec<u8>>,
    open: Vec<TcpStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A proxy in front of one address, which may change.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

/// What becomes of a chunk.
enum Passage {
    Pass,
    Close,
    HalfClose,
}

/// Counts what one connection has passed one way under the fault that is now.
#[derive(Default)]
struct Count {
    era: u64,
    bytes: u64,
}

impl Proxy {
    pub(crate) fn new() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared::default());
        let of_connections = Arc::clone(&shared);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_connections);
                std::thread::spawn(move || shared.connect(connection));
            }
        });
        Proxy { address, shared }
    }

    /// Connections go there from now on; nowhere if there is nobody.
    pub(crate) fn lead_to(&self, behind: Option<SocketAddr>) {
        self.shared.lock().behind = behind;
    }

    /// From now on this is wrong; nothing is if it is lifted.
    pub(crate) fn set(&self, fault: Option<Fault>) {
        self.set_at_one_of(fault, &Arc::default());
    }

    /// The same; a fault that strikes once strikes only one of those that have this flag.
    pub(crate) fn set_at_one_of(&self, fault: Option<Fault>, struck_anywhere: &Arc<AtomicBool>) {
        let mut state = self.shared.lock();
        (state.fault, state.struck) = (fault, false);
        state.struck_anywhere = Arc::clone(struck_anywhere);
        state.era += 1;
        if fault == Some(Fault::Cut) {
            state.cut();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Whether the fault has struck here, of those that strike once.
    pub(crate) fn has_struck(&self) -> bool {
        self.shared.lock().struck
    }

    /// What is behind.
    pub(crate) fn behind(&self) -> Option<SocketAddr> {
        self.shared.lock().behind
    }

    /// Keeps what comes in from now on, and does not pass it on.
    pub(crate) fn swallow(&self) {
        self.shared.lock().swallowed = Some(Vec::new());
    }

    /// What was swallowed so far.
    pub(crate) fn tape(&self) -> Vec<u8> {
        self.shared.lock().swallowed.clone().unwrap_or_default()
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.open.drain(..) {
            // Some have ended before.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Whether a fault that strikes once strikes this connection now.
    fn strikes(&mut self, way: Way, bytes: u64) -> bool {
        let Some(Fault::CutAfter(of, after) | Fault::HoldAfter(of, after) | Fault::DamageAfter(of, after)) =
            self.fault
        else {
            return false;
        };
        let reached = !self.struck && of == way && bytes > after;
        let strikes = reached && !self.struck_anywhere.swap(true, Ordering::Relaxed);
        self.struck |= strikes;
        strikes
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn connect(self: Arc<Shared>, front: TcpStream) {
        let behind = {
            let state = self.lock();
            state.behind.filter(|_| state.fault != Some(Fault::Cut))
        };
        let Some(back) = behind.and_then(|behind| TcpStream::connect(behind).ok()) else {
            let _ = front.shutdown(Shutdown::Both);
            return;
        };
        let pair = || Ok::<_, std::io::Error>((front.try_clone()?, back.try_clone()?));
        let (Ok((front_in, back_in)), Ok((front_kept, back_kept))) = (pair(), pair()) else { return };
        self.lock().open.extend([front_kept, back_kept]);
        let shared = Arc::clone(&self);
        std::thread::spawn(move || shared.pump(Way::In, front_in, back_in));
        self.pump(Way::Out, back, front);
    }

    /// Passes on what comes until there is no more.
    fn pump(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut count = Count::default();
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            match self.pass(way, &mut buffer[..read], &mut count) {
                Passage::Pass if self.swallows(way, &buffer[..read]) => {}
                Passage::Pass => {
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                Passage::Close => {
                    let _ = from.shutdown(Shutdown::Both);
                    let _ = to.shutdown(Shutdown::Both);
                    return;
                }
                Passage::HalfClose => break,
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    /// What becomes of a chunk, after as long as it is held up.
    fn pass(&self, way: Way, chunk: &mut [u8], count: &mut Count) -> Passage {
        let mut state = self.lock();
        if count.era != state.era {
            *count = Count { era: state.era, bytes: 0 };
        }
        count.bytes += chunk.len() as u64;
        let strikes = state.strikes(way, count.bytes);
        let era = state.era;
        match state.fault {
            None => Passage::Pass,
            Some(Fault::Cut) => Passage::Close,
            Some(Fault::HalfClose) if way == Way::Out => Passage::HalfClose,
            Some(Fault::CutAfter(..)) if strikes => Passage::Close,
            Some(Fault::DamageAfter(..)) if strikes => {
                chunk[chunk.len() / 2] ^= 1;
                Passage::Pass
            }
            Some(Fault::Stall) => self.hold(state, era),
            Some(Fault::HoldAfter(..)) if strikes => self.hold(state, era),
            Some(Fault::Delay(delay)) if way == Way::Out => {
                drop(state);
                std::thread::sleep(delay);
                Passage::Pass
            }
            Some(_) => Passage::Pass,
        }
    }

    /// Waits for another fault, or none.
    fn hold(&self, state: MutexGuard<'_, State>, era: u64) -> Passage {
        let _state = self.changed.wait_while(state, |state| state.era == era).expect("no panic");
        Passage::Pass
    }

    /// Keeps what comes in, if that goes no further.
    fn swallows(&self, way: Way, chunk: &[u8]) -> bool {
        let mut state = self.lock();
        let Some(tape) = state.swallowed.as_mut().filter(|_| way == Way::In) else { return false };
        tape.extend_from_slice(chunk);
        true
    }
}
