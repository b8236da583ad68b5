//! The machine, as far as the system tells. What it does not tell is said to be unknown.

use crate::report::Fact;

/// Processor, features that a back end looks for, memory.
pub(crate) fn describe() -> Vec<Fact> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let memory = read("/proc/meminfo");
    let cores = std::thread::available_parallelism().map_or("unknown".into(), |cores| cores.to_string());
    vec![
        Fact { name: "system", value: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH) },
        Fact { name: "kernel", value: or_unknown(version(&read("/proc/sys/kernel/osrelease"))) },
        Fact { name: "processor", value: or_unknown(field(&cpu, "model name")) },
        Fact { name: "cores", value: cores },
        Fact { name: "features", value: features() },
        Fact { name: "memory", value: or_unknown(field(&memory, "MemTotal")) },
        Fact {
            name: "huge pages",
            value: or_unknown(read("/sys/kernel/mm/transparent_hugepage/enabled").trim()),
        },
    ]
}

/// The first `name : value` of a file of /proc.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let parts = text.lines().filter_map(|line| line.split_once(':'));
    parts.into_iter().find(|(key, _)| key.trim() == name).map_or("", |(_, value)| value.trim())
}

/// Without what a builder appended, which may name a host.
fn version(release: &str) -> &str {
    release.trim().split(['-', '+']).next().unwrap_or_default()
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { "unknown".into() } else { text.into() }
}

#[cfg(target_arch = "x86_64")]
fn features() -> String {
    let found = [
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ];
    found.map(|(name, present)| if present { name.to_owned() } else { format!("no {name}") }).join(", ")
}

#[cfg(target_arch = "aarch64")]
fn features() -> String {
    if std::arch::is_aarch64_feature_detected!("neon") { "neon".into() } else { "no neon".into() }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> String {
    "none that a back end uses".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_found_or_unknown() {
        let text = "processor\t: 0\nmodel name\t: Some CPU\nmodel name\t: Another\n";
        assert_eq!(field(text, "model name"), "Some CPU");
        assert_eq!(or_unknown(field(text, "model")), "unknown");
        assert_eq!((version("6.1.0-18-amd64\n"), version("")), ("6.1.0", ""));
    }
}
