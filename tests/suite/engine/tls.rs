//! Certificates on both sides, between processes: whoever has the right one is served, and everybody else is told what to do.

use std::path::PathBuf;

use serde_json::json;

use crate::authority::Authority;
use crate::process::Process;
use crate::support::Place;

/// A certificate and its key.
type Papers = (PathBuf, PathBuf);

/// An engine that serves callers and workers of one authority, under another.
struct Guarded {
    place: Place,
    callers: Authority,
    address: String,
    _engine: Process,
}

impl Guarded {
    fn start() -> Guarded {
        let place = Place::new();
        let folder = place.0.path();
        let (network, callers) = (Authority::new(folder, "network"), Authority::new(folder, "callers"));
        let (certificate, key) = network.issue("127.0.0.1");
        let [certificate, key, client_ca] =
            [&certificate, &key, &callers.certificate].map(|path| path.display().to_string());
        place.write(
            "engine.toml",
            format!(
                "directories = [\"disk\"]\n[server]\nlisten = \"127.0.0.1:0\"\n[server.tls]\n\
                 certificate = \"{certificate}\"\nkey = \"{key}\"\nclient_ca = \"{client_ca}\"\n[workers]\n"
            ),
        );
        let engine = Process::start(&mut place.command("engine run --config engine.toml"));
        let address = engine.serves_at().to_string();
        Guarded { place, callers, address, _engine: engine }
    }

    /// The flags of whoever has these papers, or none.
    fn flags(&self, papers: Option<&Papers>) -> String {
        let flags = format!("--engine https://{} --tls-ca network.pem", self.address);
        papers.map_or(flags.clone(), |(certificate, key)| {
            format!("{flags} --tls-certificate {} --tls-key {}", certificate.display(), key.display())
        })
    }

    /// Whoever is not to be served, with their flags.
    fn strangers(&self) -> [(&'static str, String); 3] {
        let other = Authority::new(self.place.0.path(), "other");
        [
            ("no certificate", self.flags(None)),
            ("a certificate of another authority", self.flags(Some(&other.issue("stranger")))),
            ("an expired certificate", self.flags(Some(&self.callers.issue_expired("late")))),
        ]
    }

    /// What a caller with these flags is told in place of an answer.
    fn refusal(&self, flags: &str) -> String {
        let (kind, message) = self.place.run(&format!("engine jobs {flags} --json")).expect(1).error();
        assert_eq!(kind, "state", "{message}");
        message
    }
}

#[test]
fn callers_are_served_with_the_right_certificate_alone() {
    let guarded = Guarded::start();
    let served = guarded.flags(Some(&guarded.callers.issue("operator")));
    for (what, flags) in guarded.strangers() {
        let told = guarded.refusal(&flags);
        assert!(told.contains("--tls-certificate") && told.contains("--tls-key"), "{what}: {told}");
        let jobs = guarded.place.run(&format!("engine jobs {served} --json")).expect(0).json();
        assert_eq!(jobs, json!({ "jobs": [] }), "whoever has the right one is served all the while");
    }
    // Nor does a caller take an engine for the right one that another authority vouches for, or speak in the clear.
    let wrong = served.replace("network.pem", "other.pem");
    let told = guarded.refusal(&wrong);
    assert!(told.contains("--tls-ca"), "{told}");
    let told = guarded.refusal(&format!("--engine http://{}", guarded.address));
    assert!(told.contains("--tls-ca"), "{told}");
}

/// A worker goes on trying, since the other side may be the one to change something, and says what is wrong each time.
#[test]
fn workers_are_taken_with_the_right_certificate_alone() {
    const TAKEN: &str = "at the engine's disposal";
    let guarded = Guarded::start();
    let run = |flags: &str| {
        let words = format!("worker run {flags} --name outside --gpu off --threads 1");
        Process::start(&mut guarded.place.command(&words))
    };
    for (what, flags) in guarded.strangers() {
        let worker = run(&flags);
        worker.says("give one that it knows: certificate and key of [connect.tls], or --tls-certificate");
        assert!(!worker.log().contains(TAKEN), "{what}: {}", worker.log());
    }
    run(&guarded.flags(Some(&guarded.callers.issue("outside")))).says(TAKEN);
}
