//! Graphics processors from the command line: software Vulkan stands in for them where `HOLDFAST_ALLOW_SOFTWARE_GPU=1`.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Place, Run};

/// A command that may use the adapter of this machine; `None`, said aloud, where there is none to be used.
fn adapter_id() -> Option<String> {
    let place = Place::new();
    let allowed = std::env::var("HOLDFAST_ALLOW_SOFTWARE_GPU").is_ok_and(|value| value == "1");
    let flag = if allowed { "--allow-software-gpu" } else { "" };
    let devices = place.run(&format!("devices --json {flag}")).expect(0).json();
    let usable = |gpu: &&Value| gpu["unused_because"].is_null();
    let id = devices["gpus"].as_array().expect("a list").iter().find(usable).map(|gpu| gpu["id"].clone());
    if let Some(id) = id {
        return Some(id.as_str().expect("an id").to_owned());
    }
    let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == "gpu"), "gpu is required: {devices}");
    eprintln!("gpu ABSENT({})", devices["no_gpus_because"]);
    None
}

/// Without any Vulkan driver, whatever this machine has.
fn without_driver(place: &Place, words: &str) -> Run {
    Run::of(
        place.command(words).env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent"),
    )
}

fn commitment(place: &Place, validator: &str) -> Vec<u8> {
    place.run(&format!("commitment --dir disk --validator {validator} --out c")).expect(0);
    place.read("c")
}

#[test]
fn a_fill_on_a_device_is_the_fill_of_the_processor() {
    let Some(id) = adapter_id() else { return };
    let by_processor = Place::filled();
    let by_device = Place::new();
    by_device.allocate("disk", 8 << 20);
    let fill = format!("fill --dir disk --gpu only --gpu {id} --allow-software-gpu --json");
    let report = by_device.run(&fill).expect(0).json();
    let accelerators = report["accelerators"].as_array().expect("a list");
    assert_eq!(accelerators.len(), 1);
    assert_eq!(accelerators[0]["id"], id.as_str());
    assert_eq!(accelerators[0]["windows"], report["windows_filled"]);
    assert_eq!(accelerators[0]["faults"].as_array().map(Vec::len), Some(0));
    for validator in ["alice", "bob", "carol"] {
        assert_eq!(commitment(&by_device, validator), commitment(&by_processor, validator));
    }
}

#[test]
fn an_object_is_committed_to_on_a_device() {
    let Some(id) = adapter_id() else { return };
    let place = Place::new();
    let bytes: Vec<u8> = (0..=250).cycle().take(100_000).collect();
    place.write("file", &bytes);
    place.run("object put --dir disk file --no-encrypt --later --json").expect(0);
    let commit = format!("commit --dir disk --gpu only --gpu {id} --allow-software-gpu --json");
    let report = place.run(&commit).expect(0).json();
    let object = &report["objects"][0];
    assert_eq!((&object["blocks_accelerated"], &object["blocks_redone"]), (&7.into(), &0.into()), "{report}");
    assert!(object["commitment_root"].is_string(), "{report}");
}

#[test]
fn flags_that_contradict_and_ids_that_nobody_has_are_refused() {
    let place = Place::new();
    place.allocate("disk", 8 << 20);
    let (kind, _) = place.run("fill --dir disk --gpu off --gpu only --json").expect(64).error();
    assert_eq!(kind, "usage");
    let (kind, message) = place.run("fill --dir disk --gpu ffff:ff:1f.7 --json").expect(1).error();
    assert_eq!(kind, "absent");
    assert!(message.contains("ffff:ff:1f.7") && message.contains("holdfast devices"), "{message}");
    // Nothing was done: the next run has everything to do.
    assert!(place.run("fill --dir disk --json").expect(0).json()["windows_kept"] == 0);
}

#[test]
fn software_is_used_only_when_allowed() {
    let Some(id) = adapter_id() else { return };
    let place = Place::new();
    let devices = place.run("devices --json").expect(0).json();
    let gpu = devices["gpus"].as_array().expect("a list").iter().find(|gpu| gpu["id"] == id.as_str());
    let gpu = gpu.expect("the adapter is listed in any case");
    if gpu["kind"] == "software" {
        assert!(gpu["unused_because"].as_str().expect("a reason").contains("--allow-software-gpu"), "{gpu}");
        place.allocate("disk", 8 << 20);
        let (kind, message) = place.run("fill --dir disk --gpu only --json").expect(1).error();
        assert_eq!(kind, "absent");
        assert!(message.contains("--allow-software-gpu"), "{message}");
    }
}

#[test]
fn a_machine_without_a_driver_says_so_and_fills_all_the_same() {
    let place = Place::new();
    place.allocate("disk", 8 << 20);
    let devices = without_driver(&place, "devices --json").expect(0).json();
    assert_eq!(devices["gpus"].as_array().map(Vec::len), Some(0));
    assert!(devices["no_gpus_because"].as_str().expect("a reason").contains("driver"), "{devices}");
    let (kind, message) = without_driver(&place, "fill --dir disk --gpu only --json").expect(1).error();
    assert_eq!(kind, "absent");
    assert!(message.contains("Vulkan"), "{message}");
    let filled = without_driver(&place, "fill --dir disk --json").expect(0).json();
    assert_eq!(filled["accelerators"].as_array().map(Vec::len), Some(0));
}

#[test]
fn tune_measures_devices_and_remembers() {
    let Some(id) = adapter_id() else { return };
    let place = Place::new();
    let tune = "tune --dir disk --out tune.json --quick --window 1MiB --allow-software-gpu --json";
    let tuned = place.run(tune).expect(0).json();
    let rates = &tuned["tuned"]["rates"];
    let rate = |of: &Value, what: &str| of[what].as_f64().unwrap_or_else(|| panic!("{what} in {tuned}"));
    for of in [&rates["processor"], &rates["gpus"][&id]] {
        assert!(rate(of, "windows") > 0.0 && rate(of, "commitments") > 0.0, "{tuned}");
    }
    let file: Value = serde_json::from_slice(&place.read("tune.json")).expect("JSON");
    let host = tuned["host"].as_str().expect("a host");
    assert_eq!(file["hosts"][host]["rates"], *rates);
}

/// The fixture as a loader in a directory of its own, and where the real one is; `None`, said aloud, where there is none.
fn failing_driver(place: &Place) -> Option<(PathBuf, PathBuf)> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut loaders = folders.map(|folder| folder.join("libvulkan.so.1")).filter(|path| path.exists());
    let Some(real) = loaders.next() else {
        eprintln!("failing driver ABSENT(libvulkan.so.1 is not below /usr/lib)");
        return None;
    };
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/vulkan/failing_driver.c");
    let folder = place.path("driver");
    std::fs::create_dir(&folder).expect("creates");
    let mut compiler = std::process::Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(folder.join("libvulkan.so.1"))
        .args([source, "-ldl"]);
    assert!(compiler.status().expect("a C compiler, as the README says").success());
    Some((folder, real))
}

/// Drivers that lose the device or hang, while it is opened, in the middle of the fill, and near its end: the fill ends by itself,
/// with all windows, and names the fault.
#[test]
fn a_driver_that_fails_costs_no_window() {
    let Some(id) = adapter_id() else { return };
    let expected = {
        let place = Place::filled();
        commitment(&place, "alice")
    };
    // Of a lost device, one thread may hear that it refuses before another has been told that it is lost.
    let modes: [(&str, &[&str]); 2] = [("lost", &["lost", "refused"]), ("hangs", &["timed-out"])];
    for (mode, kinds) in modes {
        for after in ["3", "150", "400"] {
            let place = Place::new();
            let Some((folder, real)) = failing_driver(&place) else { return };
            place.allocate("disk", 8 << 20);
            let mut fill =
                place.command(&format!("fill --dir disk --gpu only --gpu {id} --allow-software-gpu --json"));
            fill.env("LD_LIBRARY_PATH", &folder).env("REAL_VULKAN", &real);
            fill.env("FAILING_MODE", mode).env("FAILING_AFTER", after);
            let run = Run::of(&mut fill);
            if after == "3" {
                // It never gave its known answers, so there is nobody to do what was asked for.
                let (error, message) = run.expect(1).error();
                assert_eq!(error, "absent", "{mode}");
                assert!(message.contains("failed when it was opened"), "{mode}: {message}");
                continue;
            }
            let report = run.expect(0).json();
            let faults = &report["accelerators"][0]["faults"];
            let kind = faults[0]["kind"].as_str().unwrap_or_default();
            assert!(kinds.contains(&kind), "{mode} after {after}: {report}");
            assert_eq!(commitment(&place, "alice"), expected, "{mode} after {after}");
        }
    }
}
