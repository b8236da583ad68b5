//! Looking at a page, for tests.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::operation::metrics::{DECLARED, PREFIX};

/// What is on a page, with the header.
pub(crate) async fn get_page(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    // Without `Connection: close`: the server ends it, so that what it sends has an end.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

/// The metrics of a page.
#[derive(Debug)]
pub(crate) struct Scrape(String);

impl Scrape {
    pub(crate) async fn of(address: SocketAddr) -> Scrape {
        let page = get_page(address, "/metrics").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        Scrape(page)
    }

    /// The value of a series, such as `rounds_total{kind="space",outcome="missed"}`; 0 if there is none.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let name = format!("{PREFIX}_{series} ");
        let line = self.0.lines().find_map(|line| line.strip_prefix(&*name));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// The sum of all series of a metric.
    pub(crate) fn sum(&self, metric: &str) -> f64 {
        let name = format!("{PREFIX}_{metric}");
        let of_metric = |line: &&str| line.split(['{', ' ']).next() == Some(&*name);
        let values = self.0.lines().filter(of_metric).filter_map(|line| line.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().expect("a number")).sum()
    }

    /// Every metric that such a node keeps is there, with its type and its meaning.
    pub(crate) fn is_complete_for(&self, keeper: &str) {
        for declared in
            DECLARED.iter().filter(|declared| declared.kept_by.contains(keeper) || declared.kept_by == "all")
        {
            for line in [
                format!("# HELP {PREFIX}_{} {}.", declared.name, declared.meaning),
                format!("# TYPE {PREFIX}_{} {}", declared.name, declared.kind),
            ] {
                assert!(self.0.lines().any(|found| found == line), "{line} is not in:\n{}", self.0);
            }
        }
    }
}
