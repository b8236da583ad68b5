//! What the operator's monitoring sees of a validator, over its sockets.

use std::time::Duration;

use holdfast_engine::receipt::RoundKind;
use tonic::service::Routes;

use super::*;
use crate::listen::{self, Listener};
use crate::operation::page::Page;
use crate::operation::page::testing::Scrape;
use crate::proto::PingRequest;
use crate::proto::validator_server::ValidatorServer;
use crate::validator::peers::Peer;
use crate::validator::serve::Service;

/// A node that serves, with its page.
struct Served {
    address: std::net::SocketAddr,
    page: std::net::SocketAddr,
}

impl Served {
    async fn start(scene: &Scene, node: &Arc<Node>) -> Served {
        let loopback = ([127, 0, 0, 1], 0).into();
        let listener = Listener::bind(&listen::Settings::at(loopback)).await.expect("binds");
        let listener = listener.counting(Arc::clone(&scene.metrics));
        let page = Page::open(loopback, Arc::clone(&scene.metrics), Arc::new(Observer::of(node))).await;
        let page = page.expect("binds");
        let served = Served { address: listener.address(), page: page.address() };
        let service = ValidatorServer::new(Service::new(Arc::clone(node), None));
        tokio::spawn(listener.serve(Routes::new(service), &[], std::future::pending()));
        tokio::spawn(page.serve(std::future::pending()));
        served
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_shows_what_became_of_rounds() {
    let scene = Scene::new(&[("honest", Behaviour::Honest), ("wrong", Behaviour::Honest)]).await;
    let node = scene.process("one", &scene.index).await;
    let Served { address, page } = Served::start(&scene, &node).await;
    let fresh = Scrape::of(page).await;
    assert_eq!((fresh.sum("rounds_total"), fresh.value("in_charge")), (0.0, 0.0));

    // Commitments are fetched and seals passed, then one of the two answers wrong.
    scene.step(&node).await;
    scene.step(&node).await;
    scene.close_all(&node).await;
    let before = Scrape::of(page).await;
    scene.miners[1].behave(Behaviour::Wrong);
    let height = scene.step(&node).await.height;
    let after = Scrape::of(page).await;
    let more = |series: &str| after.value(series) - before.value(series);
    // Windows and an object of each; the beacon says in which way objects are asked for.
    let of_all_kinds = |series: &dyn Fn(&str) -> String| -> f64 {
        RoundKind::ALL.iter().map(|kind| more(&series(kind.name()))).sum()
    };
    for (outcome, expected) in [("accepted", 2.0), ("rejected", 2.0), ("missed", 0.0)] {
        let series = |kind: &str| format!("rounds_total{{kind=\"{kind}\",outcome=\"{outcome}\"}}");
        assert_eq!(of_all_kinds(&series), expected, "{outcome}");
    }
    assert_eq!(more("rounds_total{kind=\"space\",outcome=\"rejected\"}"), 1.0);
    assert_eq!(of_all_kinds(&|kind| format!("round_answer_seconds_count{{kind=\"{kind}\"}}")), 4.0);
    assert_eq!(more("verdicts_rejected_total{class=\"wrong-root\"}"), 2.0);
    assert_eq!((more("round_collect_seconds_count"), more("chain_height")), (1.0, 1.0));
    assert!(more("verify_seconds_count") >= 1.0 && more("index_commits_total") >= 1.0);

    scene.close_all(&node).await;
    let peer = Peer { account: node.account(), endpoint: address };
    node.peers.ping_validator(peer, PingRequest::default()).await.expect("answers");
    let looking = async {
        loop {
            let scrape = Scrape::of(page).await;
            if scrape.value("calls_total{method=\"holdfast.v1.Validator/Ping\",code=\"ok\"}") > 0.0 {
                return scrape;
            }
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(60), looking).await.expect("is counted");
    closed.is_complete_for("validator");
    assert!(closed.value("chain_height") > after.value("chain_height") && height > 0);
    assert!(closed.value("chain_finalized_height") >= after.value("chain_height") - 1.0);
    assert_eq!((closed.value("in_charge"), closed.sum("miners")), (1.0, 2.0));
    for moved in ["receipts_signed_total", "anchors_recorded_total", "weights_set_total"] {
        assert!(closed.value(moved) > 0.0, "{moved}");
    }
    assert!(closed.value("proven_bytes{of=\"space\"}") > 0.0);
    assert_eq!((closed.value("equivocations"), closed.value("chain_failures_total")), (0.0, 0.0));
}
