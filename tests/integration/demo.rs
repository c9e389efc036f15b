//! The demo as it is run from a terminal, more than once in one folder.

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

/// The words of the line that begins with `first`.
fn line<'a>(out: &'a str, first: &str) -> Vec<&'a str> {
    let lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .into_iter()
        .find(|words| words.first() == Some(&first))
        .unwrap_or_else(|| panic!("no {first} in\n{out}"))
}

#[test]
fn each_demo_begins_anew_and_says_what_it_holds_of_each_collection() {
    let folder = tempfile::tempdir().unwrap();
    let mut held = Vec::new();
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
        assert!(out.contains("\nWorkouts "), "the annotation's query is asked:\n{out}");
        held.push(days);
    }
    assert!(held[0] >= 25 && held[1] >= 55 && held[2] >= 50, "{held:?}");
}

#[test]
fn a_folder_with_anything_else_in_it_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("diary.txt"), "dear diary").unwrap();
    let output = demo(folder.path(), &["--days", "3"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("diary.txt") && said.contains("--data-dir"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
