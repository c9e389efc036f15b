//! `gpx_oura catalog`, from one file to another.

use ringside::catalog::Catalog;
use ringside::cli::catalog::{CatalogCommandError, Command, run};

use super::reduced;

#[test]
fn reduce_reads_the_version_from_the_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) =
        (folder.path().join("openapi-7.7.json"), folder.path().join("facts.json"));
    std::fs::write(&input, reduced("1.43")).unwrap();
    for (version, expected) in [(None, "7.7"), (Some("8.0".to_owned()), "8.0")] {
        run(Command::Reduce { input: input.clone(), output: Some(output.clone()), version })
            .unwrap();
        let catalog = Catalog::from_openapi(&std::fs::read(&output).unwrap()).unwrap();
        assert_eq!(
            (catalog.version.as_str(), catalog.collections),
            (expected, Catalog::bundled().collections)
        );
    }
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, page) = (folder.path().join("openapi-1.0.json"), folder.path().join("page.html"));
    std::fs::write(&page, "<html>").unwrap();
    let error = run(Command::Show { document: Some(missing.clone()) }).unwrap_err();
    assert!(
        matches!(&error, CatalogCommandError::Read { path, .. } if *path == missing),
        "{error}"
    );
    let error = run(Command::Diff { a: page.clone(), b: missing }).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!(
            "{} is not a description of Oura's API: the document is not JSON",
            page.display()
        )),
        "{error}"
    );
}

#[test]
fn diff_prints_changes_or_no_differences() {
    let fixture = |version: &str| {
        format!("{}/tests/fixtures/openapi/{version}.json", env!("CARGO_MANIFEST_DIR"))
    };
    let told = |old: &str, new: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
            .args(["catalog", "diff", &fixture(old), &fixture(new)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told("1.34", "1.35").contains("~ ring_configuration.hardware_type: + or5\n"));
    assert_eq!(told("1.35", "1.37"), "no differences\n");
}
