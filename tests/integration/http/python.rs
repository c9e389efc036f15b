//! The documents' Python examples, run against a server where Python has their libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::report_skip;
use crate::common::serve::{READ_TOKEN, Server, data_folder};

/// The libraries of the examples.
pub const LIBRARIES: &str = "import duckdb, pandas, polars, pyarrow";

/// Whether Python has the libraries. Otherwise reports that the test proved nothing.
pub fn is_available() -> bool {
    let is_available = imports(LIBRARIES);
    if !is_available {
        report_skip("python3 with duckdb, pandas, polars and pyarrow is missing");
    }
    is_available
}

/// Whether Python runs these imports.
fn imports(code: &str) -> bool {
    let output = Command::new("python3").args(["-c", code]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Publishes the data of `folder` to the lake `lake` in it.
fn publish_lake(folder: &Path) {
    for command in ["init", "publish"] {
        let status = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
            .args(["lake", command, "--data-dir", ".", "--lake", "lake"])
            .current_dir(folder)
            .status();
        assert!(status.unwrap().success(), "lake {command}");
    }
}

/// The Python blocks of all documents, with the documents' paths.
fn examples() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    paths.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut examples = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```python\n").skip(1) {
            let code = block.split("\n```").next().unwrap();
            examples.push((path.clone(), code.to_owned()));
        }
    }
    examples
}

#[tokio::test(flavor = "multi_thread")]
async fn python_examples_of_the_documents_run() {
    let examples = examples();
    for library in ["import pandas", "import polars", "import duckdb"] {
        assert!(examples.iter().any(|(_, code)| code.contains(library)), "no example: {library}");
    }
    if !is_available() {
        return;
    }
    let folder = data_folder();
    publish_lake(folder.path());
    let server = Server::start(folder.path(), &[]).await;
    for (path, code) in examples {
        if code.contains("deltalake") && !imports("import deltalake") {
            report_skip("python3 with deltalake is missing");
            continue;
        }
        // Ends without the destructors of libraries, which can abort a process with threads.
        let code = format!("{code}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
        let output = Command::new("python3")
            .args(["-c", &code])
            .current_dir(folder.path())
            .env("RINGSIDE_URL", format!("{}/api", server.origin))
            .env("RINGSIDE_READ_TOKEN", READ_TOKEN)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {code}\n{error}", path.display());
        assert!(!output.stdout.is_empty(), "{}: {code}", path.display());
    }
}
