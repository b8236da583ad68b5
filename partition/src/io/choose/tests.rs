#![allow(unsafe_code)] // To install a seccomp filter.

use std::path::PathBuf;
use std::process::Command;
use std::thread;

use super::*;
use crate::io::conformance::{absent, noise};
use crate::io::{AlignedBuffer, BufferPool, NextWrite, PAGE_BYTES, WriteRequest, WriteSource};

const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;
const ENOSYS: i32 = 38;

fn create(choice: IoChoice) -> OpenOptions {
    OpenOptions { depth: 8, ..OpenOptions::new(Access::CreateNew) }.with_choice(choice)
}

fn works(io: &dyn BlockIo) {
    io.write_at(0, &noise(1, PAGE_BYTES)).unwrap();
    let mut page = AlignedBuffer::zeroed(PAGE_BYTES).unwrap();
    io.read_at(0, &mut page).unwrap();
    assert_eq!(page[..], noise(1, PAGE_BYTES)[..]);
}

#[test]
fn names_read_back() {
    for choice in IoChoice::ALL {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
    let error = "rings".parse::<IoChoice>().unwrap_err().to_string();
    assert!(IoChoice::ALL.iter().all(|choice| error.contains(choice.name())), "{error}");
}

#[test]
fn a_refused_ring_falls_back_with_its_reason_and_fails_when_forced() {
    let directory = tempfile::tempdir().unwrap();
    for (number, reason) in [
        (EPERM, "seccomp"),
        (ENOSYS, "Linux 5.6"),
        (ENOMEM, "ulimit -l"),
        (24, "Too many open files"), // EMFILE: anything else is passed on as the system says it
    ] {
        let refusals = Refusals { uring: Some(number), direct: None };
        let path = directory.path().join(number.to_string());
        let forced = open_with(&path, &create(IoChoice::Uring), refusals).unwrap_err();
        assert!(matches!(forced, IoError::Unsupported { backend: "uring", .. }));
        assert!(forced.to_string().contains(reason), "{forced}");
        assert!(!path.exists(), "a refused choice left a file behind");
        let opened = open_with(&path, &create(IoChoice::Auto), refusals).unwrap();
        assert_eq!(opened.io.name(), "pread");
        assert!(opened.notes[0].contains("io_uring is not used") && opened.notes[0].contains(reason));
        works(&*opened.io);
    }
}

#[test]
fn refused_direct_io_falls_back_to_the_page_cache_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    for choice in [IoChoice::Auto, IoChoice::Pread] {
        let path = directory.path().join(choice.name());
        let refusals = Refusals { uring: None, direct: Some(EINVAL) };
        let opened = open_with(&path, &create(choice), refusals).unwrap();
        assert!(!opened.direct);
        let note = opened.notes.last().unwrap();
        assert!(note.contains("direct I/O is not used") && note.contains("Invalid argument"), "{note}");
        works(&*opened.io);
    }
}

/// Lets `io_uring_setup` fail with EPERM on this thread from now on, as a container's seccomp profile does.
#[cfg(target_arch = "x86_64")]
fn refuse_rings_by_seccomp() -> io::Result<()> {
    const RETURN_EPERM: u32 = libc::SECCOMP_RET_ERRNO | 1;
    let statement = |code: u32, k| libc::sock_filter { code: u16::try_from(code).unwrap(), jt: 0, jf: 0, k };
    let setup = u32::try_from(libc::SYS_io_uring_setup).unwrap();
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0), // The number of the system call.
        libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, setup) },
        statement(libc::BPF_RET | libc::BPF_K, RETURN_EPERM),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: plain integers.
    let outcome = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the program points to four instructions that live until the call has copied them.
    let outcome = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_real_seccomp_filter_is_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    // A filter holds for the thread that asked for it, so this one ends with the test.
    let tried = thread::spawn(move || {
        refuse_rings_by_seccomp()?;
        let forced = open(&path, &create(IoChoice::Uring)).unwrap_err();
        let opened = open(&path, &create(IoChoice::Auto)).unwrap();
        works(&*opened.io);
        Ok::<_, io::Error>((forced.to_string(), opened.io.name(), opened.notes))
    });
    match tried.join().unwrap() {
        Err(error) => absent("seccomp", &error.to_string()),
        Ok((forced, name, notes)) => {
            assert_eq!(name, "pread");
            assert!(forced.contains("os error 1"), "{forced}");
            assert!(notes[0].contains("io_uring is not used: refused by"), "{notes:?}");
        }
    }
}

/// Hands out one write of `length` bytes and keeps its outcome.
struct Once {
    request: std::sync::Mutex<Option<WriteRequest>>,
    result: std::sync::Mutex<Option<Result<(), IoError>>>,
}

fn pump_once(io: &dyn BlockIo, pool: &BufferPool) -> Result<(), IoError> {
    let mut buffer = pool.take().unwrap();
    let bytes = noise(3, buffer.len());
    buffer.copy_from_slice(&bytes);
    let request = WriteRequest { offset: 0, buffer, tag: 0 };
    let source = Once { request: Some(request).into(), result: None.into() };
    io.pump(pool, &source, 4);
    source.result.into_inner().unwrap().expect("the write ended")
}

impl WriteSource for Once {
    fn next(&self, _: bool) -> NextWrite {
        self.request.lock().unwrap().take().map_or(NextWrite::Closed, NextWrite::Ready)
    }
    fn done(&self, _: WriteRequest, result: Result<(), IoError>) {
        *self.result.lock().unwrap() = Some(result);
    }
}

#[test]
fn a_pool_beyond_the_locked_memory_limit_is_written_unregistered_with_a_note() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|&limit| limit < 256 << 20)
    else {
        return absent("memlock", "locked memory is not limited here");
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let tried = thread::spawn(move || {
        // Root is above the limit as long as it may lock memory; capabilities belong to the thread.
        let mut sets = capabilities(None).map_err(|error| error.to_string())?;
        sets.effective.remove(CapabilitySet::IPC_LOCK);
        set_capabilities(None, sets).map_err(|error| error.to_string())?;
        let opened = match open(&path, &create(IoChoice::Uring)) {
            Err(IoError::Unsupported { reason, .. }) => return Err(reason),
            opened => opened.unwrap(),
        };
        let small = BufferPool::new(1, PAGE_BYTES).unwrap();
        pump_once(&*opened.io, &small).unwrap();
        let before = opened.io.notes();
        let large = BufferPool::new(limit / (1 << 20) + 2, 1 << 20).unwrap();
        pump_once(&*opened.io, &large).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(bytes[..] == noise(3, 1 << 20)[..], "wrong bytes were written");
        Ok((before, opened.io.notes()))
    });
    match tried.join().unwrap() {
        Err(why) => absent("uring", &why),
        Ok((before, after)) => {
            assert!(before.is_empty(), "{before:?}");
            assert!(after.len() == 1 && after[0].contains("ulimit -l"), "{after:?}");
        }
    }
}

#[test]
fn two_writers_are_one_too_many_and_readers_are_welcome() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let first = open(&path, &create(IoChoice::Auto)).unwrap();
    works(&*first.io);
    let write = OpenOptions::new(Access::ReadWrite);
    let error = open(&path, &write).unwrap_err();
    assert!(matches!(&error, IoError::Locked { path: locked } if *locked == path));
    assert!(error.to_string().contains("file is in use"), "{error}");
    let reader = open(&path, &OpenOptions::new(Access::ReadOnly)).unwrap();
    reader.io.read_at(0, &mut noise(0, PAGE_BYTES)).unwrap();
    drop(first);
    let second = open(&path, &write).unwrap();
    works(&*second.io);
}

#[test]
fn wrong_paths_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let says = |result: Result<Opened, IoError>, operation: &str, path: &Path, reason: &str| {
        let message = result.unwrap_err().to_string();
        let start = format!("cannot {operation} {}: ", path.display());
        assert!(message.starts_with(&start) && message.contains(reason), "{message}");
    };
    says(open(&path, &OpenOptions::new(Access::ReadWrite)), "open", &path, "No such file");
    drop(open(&path, &create(IoChoice::Auto)).unwrap());
    says(open(&path, &create(IoChoice::Auto)), "create", &path, "File exists");
    says(open(directory.path(), &OpenOptions::new(Access::ReadOnly)), "open", directory.path(), "directory");
    let below = path.join("below");
    says(open(&below, &create(IoChoice::Auto)), "create", &below, "Not a directory");
}

#[test]
fn a_survey_says_what_works_and_why_not_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let lines = survey(directory.path());
    assert_eq!(lines.iter().map(|line| line.name).collect::<Vec<_>>(), ["uring", "direct", "pread", "mmap"]);
    for line in &lines {
        if let Presence::Absent(why) = &line.presence {
            assert!(
                matches!(line.name, "uring" | "direct"),
                "{} must work in a fresh directory: {why}",
                line.name
            );
            absent(line.name, why);
        }
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    for line in survey(&directory.path().join("missing")).iter().filter(|line| line.name != "uring") {
        assert!(matches!(&line.presence, Presence::Absent(why) if why.contains("No such file")), "{line:?}");
    }
}

/// Back ends that are present, over a file that exists.
fn present(path: &Path) -> impl Iterator<Item = (IoChoice, Arc<dyn BlockIo>)> {
    [IoChoice::Uring, IoChoice::Pread, IoChoice::Buffered, IoChoice::Mmap].into_iter().filter_map(|choice| {
        match open(path, &OpenOptions::new(Access::ReadWrite).with_choice(choice)) {
            Err(IoError::Unsupported { backend, reason }) => {
                absent(backend, &reason);
                None
            }
            opened => Some((choice, opened.unwrap().io)),
        }
    })
}

#[test]
fn a_full_device_is_a_full_disk_in_every_back_end() {
    // The kernel's own full device, so it needs no mount; the next test has a real file system.
    let path = Path::new("/dev/full");
    if !path.exists() {
        return absent("dev-full", "no /dev/full");
    }
    let pool = BufferPool::new(2, PAGE_BYTES).unwrap();
    for (choice, io) in present(path) {
        let single = io.write_at(0, &noise(0, PAGE_BYTES)).unwrap_err();
        assert!(single.is_disk_full(), "{choice}: {single}");
        assert!(
            single.to_string().starts_with("disk full: cannot write 4096 bytes at offset 0 of /dev/full")
        );
        let pumped = pump_once(&*io, &pool).unwrap_err();
        assert!(pumped.is_disk_full(), "{choice}: {pumped}");
    }
}

#[test]
fn a_failed_sync_closes_every_back_end_for_good() {
    // The full device has nothing to sync and says so, which is an honest failed fdatasync.
    let path = Path::new("/dev/full");
    if !path.exists() {
        return absent("dev-full", "no /dev/full");
    }
    let pool = BufferPool::new(2, PAGE_BYTES).unwrap();
    for (choice, io) in present(path) {
        let error = io.sync().unwrap_err();
        assert!(matches!(&error, IoError::Os { operation: "sync", .. }), "{choice}: {error}");
        let mut page = noise(0, PAGE_BYTES);
        let mut batch = [crate::io::ReadRequest::new(0, &mut page)];
        io.read_batch(&mut batch, 4);
        let [request] = batch;
        let later = [
            request.result,
            io.sync(),
            io.write_at(0, &noise(0, PAGE_BYTES)),
            pump_once(&*io, &pool),
            io.len_bytes().map(drop),
            io.set_len(0),
            io.punch_hole(0, PAGE_BYTES as u64),
            io.preallocate(0, PAGE_BYTES as u64, &mut |_| true),
        ];
        for (call, outcome) in later.into_iter().enumerate() {
            assert!(matches!(outcome, Err(IoError::Closed)), "{choice}, call {call}: {outcome:?}");
        }
    }
}

/// A file system of its own in memory, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, bytes: usize) -> Result<Self, String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "holdfast-test"]).arg(&path);
        match mount.output() {
            Ok(output) if output.status.success() => Ok(Self(path)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let unmounted = unmounted.is_ok_and(|status| status.success());
        assert!(unmounted || thread::panicking(), "{} is still mounted", self.0.display());
    }
}

#[test]
fn a_disk_that_fills_up_stops_the_work_and_goes_on_after_space_is_freed() {
    let directory = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(directory.path().to_path_buf(), 1 << 20) {
        Ok(disk) => disk,
        Err(why) => return absent("tmpfs-mount", &why),
    };
    let (ballast, path) = (disk.0.join("ballast"), disk.0.join("file"));
    for choice in [IoChoice::Uring, IoChoice::Pread, IoChoice::Buffered, IoChoice::Mmap] {
        fs::write(&ballast, vec![0; 512 << 10]).unwrap();
        let opened = match open(&path, &create(choice)) {
            Err(IoError::Unsupported { backend, reason }) => {
                absent(backend, &reason);
                continue;
            }
            opened => opened.unwrap(),
        };
        let io = &*opened.io;
        let kept = noise(1, 256 << 10);
        io.write_at(0, &kept).unwrap();
        let error = io.write_at(256 << 10, &noise(2, 512 << 10)).unwrap_err();
        assert!(error.is_disk_full(), "{choice}: {error}");
        let mut steps = 0;
        let count = &mut |_| {
            steps += 1;
            true
        };
        let error = io.preallocate(0, 1 << 30, count).unwrap_err();
        assert!(error.is_disk_full(), "{choice}: {error}");
        let mut read = AlignedBuffer::zeroed(kept.len()).unwrap();
        io.read_at(0, &mut read).unwrap();
        assert!(read[..] == kept[..], "{choice}: what was written before is lost");
        fs::remove_file(&ballast).unwrap();
        io.write_at(256 << 10, &noise(2, 512 << 10)).unwrap();
        io.sync().unwrap();
        fs::remove_file(&path).unwrap();
    }
}
