//! The server of workers beside a miner's own: who is taken, and who is not.

use holdfast_engine::accelerator::processor::Processor;
use holdfast_engine::backend::{Choice, select};
use tonic::Code;

use super::*;
use crate::connect::testing::{Authority, connector};
use crate::connect::{Connector, Stage, TlsSettings};
use crate::listen;
use crate::proto::DevicesRequest;
use crate::proto::engine_client::EngineClient;
use crate::wire::status::advice_of;
use crate::workers::ExchangeSettings;
use crate::workers::worker::{Retry, Worker, endpoint};

const NAME: &str = "outside";

/// Has a miner take workers with certificates. Gives one who has a certificate, and one who has none.
fn guard(folder: &Path, settings: &mut Settings) -> [Connector; 2] {
    let (network, workers) = (Authority::new(folder, "network"), Authority::new(folder, "workers"));
    let client_ca = Some(workers.certificate.clone());
    let tls = listen::TlsSettings { client_ca, ..network.server("127.0.0.1") };
    settings.workers = Some(ExchangeSettings::default());
    let at = listen::Settings::at(SocketAddr::from(([127, 0, 0, 1], 0)));
    settings.workers_server = listen::Settings { tls: Some(tls), shutdown_grace_ms: 0, ..at };
    let (certificate, key) = workers.issue(NAME);
    let known = TlsSettings { certificate: Some(certificate), key: Some(key), ..network.trusted() };
    [connector(known), connector(network.trusted())]
}

fn worker(connector: Connector, address: SocketAddr) -> Worker {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let backend = select(Choice::Auto).expect("portable exists");
    let engine = endpoint(&format!("https://{address}")).expect("an address");
    Worker {
        engine: connector.secured(engine).expect("has TLS"),
        connector,
        name: NAME.to_owned(),
        slots: vec![Arc::new(Processor::new(backend, Arc::new(pool), 1 << 30))],
        window_bytes_maximum: 1 << 30,
        retry: Retry { first: Duration::from_millis(5), longest: Duration::from_millis(50) },
    }
}

/// Slots of the worker that are connected; nothing if it was never there.
fn slots(status: &Value) -> Option<usize> {
    let workers = status["workers"]["workers"].as_array()?;
    workers.iter().find(|worker| worker["name"] == NAME)?["devices"].as_array().map(Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_a_certificate_comes_and_goes_and_others_are_refused() {
    let (folder, mut settings, chain) = scene();
    let [known, unknown] = guard(folder.path(), &mut settings);
    let running = start(&settings, &chain).await;
    let address = running.ready.workers.expect("takes workers");
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker(known.clone(), address).run(stop.clone()));
    running.until(&chain, |status| slots(status) == Some(1)).await;

    let asked = EngineClient::new(known.channel(address)).devices(DevicesRequest {}).await;
    let refused = asked.expect_err("workers alone are served");
    assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    assert!(refused.message().contains("only workers"), "{refused}");
    let asked = EngineClient::new(unknown.channel(address)).work(tokio_stream::empty()).await;
    let refused = unknown.explain(address, asked.map(drop).expect_err("has no certificate"), Stage::Fresh);
    assert!(refused.message().contains("certificates of its callers"), "{refused}");
    assert!(advice_of(&refused).is_some_and(|advice| advice.contains("--tls-certificate")), "{refused}");

    assert_eq!(slots(&running.status(&chain).await), Some(1), "is there all the while");
    stop.cancel();
    let (_, ended) = working.await.expect("no panic");
    ended.expect("was told to");
    running.until(&chain, |status| slots(status) == Some(0)).await;
    running.end().await;
}

#[test]
fn a_server_of_workers_that_would_take_anybody_is_refused_when_it_is_read() {
    let read = |workers_server: &str| {
        Settings::from_toml(&format!(
            "[identity]\ndevelopment_name = \"miner\"\n[chain]\ndirectory = \"chain\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
             [[disk]]\ndirectory = \"disk\"\n{workers_server}"
        ))
    };
    let everywhere = "[workers_server]\nlisten = \"0.0.0.0:7704\"\n";
    let here = "[workers_server]\nlisten = \"127.0.0.1:7704\"\n";
    let tls = "[workers_server.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    let client_ca = "client_ca = \"workers.pem\"\n";
    for anybody in [
        everywhere.to_owned(),
        format!("{everywhere}allow_plain_text = true\n"),
        format!("{everywhere}{tls}"),
        format!("{here}{tls}"),
    ] {
        let refused = read(&format!("[workers]\n{anybody}")).expect_err(&anybody);
        assert!(matches!(refused, Failure::Usage(_)), "{refused}");
        assert!(refused.to_string().contains("client_ca"), "{refused}");
        read(&anybody).expect("takes no workers");
    }
    for guarded in [here.to_owned(), format!("{everywhere}{tls}{client_ca}")] {
        read(&format!("[workers]\n{guarded}")).expect(&guarded);
    }
}
