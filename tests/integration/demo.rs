//! The demo command, run several times in one folder.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::secret_scanner;

fn demo(folder: &Path, more: &[&str]) -> Output {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
    let output =
        demo.args(["demo", "--repeat", "1", "--data-dir"]).arg(folder).args(more).output().unwrap();
    secret_scanner::scan(&output.stdout);
    secret_scanner::scan(&output.stderr);
    output
}

/// The words of the line that starts with `first`.
fn line<'a>(out: &'a str, first: &str) -> Vec<&'a str> {
    let lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .into_iter()
        .find(|words| words.first() == Some(&first))
        .unwrap_or_else(|| panic!("no {first} in\n{out}"))
}

#[test]
fn each_demo_starts_from_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut days_stored = Vec::new();
    for more in [
        ["--days", "30", "--seed", "1"],
        ["--days", "60", "--seed", "1"],
        ["--days", "60", "--seed", "2"],
    ] {
        let output = demo(folder.path(), &more);
        assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
        let out = String::from_utf8_lossy(&output.stdout);
        let sleep = line(&out, "daily_sleep");
        let (documents, days): (u32, u32) = (sleep[1].parse().unwrap(), sleep[2].parse().unwrap());
        assert_eq!(documents, days, "one document a day");
        assert!(out.contains("\nWorkouts "), "no query of the annotation:\n{out}");
        assert!(out.contains("\nOura data "), "no queries of the last dashboard:\n{out}");
        days_stored.push(days);
    }
    assert!(
        days_stored[0] >= 25 && days_stored[1] >= 55 && days_stored[2] >= 50,
        "{days_stored:?}"
    );
}

#[test]
fn demo_rejects_a_folder_with_other_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("diary.txt"), "dear diary").unwrap();
    let output = demo(folder.path(), &["--days", "3"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("diary.txt") && error.contains("--data-dir"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
