use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn only(examination: &Examination, subject: &str) -> Vec<Check> {
    examine(examination).into_iter().filter(|check| check.subject.starts_with(subject)).collect()
}

#[test]
fn a_port_that_somebody_has_is_a_problem_until_it_is_free() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("its address");
    let examination = Examination { addresses: vec![address], ..Examination::default() };
    let taken = only(&examination, "address");
    assert_eq!(taken[0].finding, Finding::Problem);
    assert!(taken[0].advice.is_some());
    drop(holder);
    assert_eq!(only(&examination, "address")[0].finding, Finding::Good);
}

#[test]
fn a_key_that_others_can_read_is_a_warning_and_a_missing_one_a_problem() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("hotkey");
    let examination = Examination { key_files: vec![path.clone()], ..Examination::default() };
    assert_eq!(only(&examination, "key")[0].finding, Finding::Problem);
    fs::write(&path, "{}").expect("written");
    for (mode, finding) in [(0o644, Finding::Warning), (0o640, Finding::Warning), (0o600, Finding::Good)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        assert_eq!(only(&examination, "key")[0].finding, finding, "{mode:o}");
    }
}

#[test]
fn a_disk_is_written_to_and_left_as_it_was() {
    let directory = TempDir::new().expect("a directory");
    let examination =
        Examination { directories: vec![directory.path().to_owned()], ..Examination::default() };
    let checks = only(&examination, "disk");
    assert_eq!(checks.len(), 2, "space and ways of I/O: {checks:?}");
    assert!(checks.iter().all(|check| check.finding != Finding::Problem), "{checks:?}");
    assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 0);
    let gone = Examination { directories: vec![directory.path().join("gone")], ..Examination::default() };
    let checks = only(&gone, "disk");
    assert_eq!((checks.len(), checks[0].finding), (1, Finding::Problem));
}

#[test]
fn a_chain_that_is_not_there_is_a_problem() {
    let directory = TempDir::new().expect("a directory");
    let examination = Examination { chain: Some(directory.path().to_owned()), ..Examination::default() };
    assert_eq!(only(&examination, "chain")[0].finding, Finding::Problem);
}

#[test]
fn the_machine_itself_is_always_looked_at() {
    let checks = examine(&Examination::default());
    for subject in
        ["processor", "open files", "huge pages", "clock", "clock synchronization", "graphics processors"]
    {
        assert!(checks.iter().any(|check| check.subject == subject), "{subject}");
    }
    // Whoever is told of a flaw is told what to do.
    assert!(checks.iter().all(|check| (check.finding == Finding::Good) == check.advice.is_none()));
}
