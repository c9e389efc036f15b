//! The documents are complete, their examples run, and their links lead to files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringside::query::MACROS;
use ringside::store::FUNCTIONS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Markdown file of the project, with its path relative to the root.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/adr"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 10, "found only {} documents", found.len());
    found
}

/// The code blocks of one language in all documents, with the name of their document.
fn code_blocks(language: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for (path, text) in documents() {
        let fence = format!("```{language}\n");
        for part in text.split(&fence).skip(1) {
            let code = part.split("```").next().unwrap_or_default();
            blocks.push((path.display().to_string(), code.to_owned()));
        }
    }
    blocks
}

/// Returns a Markdown table.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(ToString::to_string).collect::<Vec<_>>());
    text.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows {
        text.push_str(&line(&row));
    }
    text
}

/// Returns inline code for a table's cell. A vertical bar is escaped, because it ends a cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Compares a section of docs/reference.md with its generated text. `UPDATE_DOCS=1` writes it.
fn check_section(name: &str, generated: &str) {
    let path = root().join("docs/reference.md");
    let text = fs::read_to_string(&path).unwrap();
    let start = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let from = text.find(&start).unwrap_or_else(|| panic!("no section {name}")) + start.len();
    let to = text.find(&end).unwrap_or_else(|| panic!("section {name} has no end"));
    if text[from..to] == *generated {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "the section {name} of docs/reference.md differs from the code. Write it with \
         `UPDATE_DOCS=1 cargo test --test integration documents`"
    );
    fs::write(path, format!("{}{generated}{}", &text[..from], &text[to..])).unwrap();
}

#[test]
fn reference_lists_every_macro_and_function() {
    let macros = MACROS.iter().map(|each| vec![code(each.usage), each.description.to_owned()]);
    let functions = FUNCTIONS
        .iter()
        .map(|each| vec![code(each.usage), each.description.to_owned(), code(each.example)]);
    check_section("macros", &table(&["macro", "meaning"], macros));
    check_section("functions", &table(&["function", "meaning", "example"], functions));
}

#[test]
fn reference_lists_every_route() {
    let router = read("src/api/mod.rs");
    let reference = read("docs/reference.md");
    let mut count = 0;
    for line in router.lines().filter(|line| line.trim().starts_with(".route(\"/")) {
        let route = line.split('"').nth(1).unwrap().trim_start_matches('/');
        let method = if line.contains("post(") { "POST" } else { "GET" };
        let documented = [format!("`{method} {route}`"), format!("`{method} {route}?")];
        assert!(documented.iter().any(|text| reference.contains(text)), "{method} {route}");
        count += 1;
    }
    assert!(count > 8, "found only {count} routes");
}

#[test]
fn reference_lists_every_command_and_option() {
    let reference = read("docs/reference.md");
    let mut missing = BTreeSet::new();
    visit(&ringside::cli::command(), "gpx_oura", &mut |name, command| {
        let has_subcommands = command.get_subcommands().next().is_some();
        if !has_subcommands && !reference.contains(&format!("`{name}`")) {
            missing.insert(name.to_owned());
        }
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            if !reference.contains(&format!("`--{option}`")) && option != "help" {
                missing.insert(format!("{name} --{option}"));
            }
        }
    });
    assert!(missing.is_empty(), "missing in docs/reference.md: {missing:?}");
}

fn visit(command: &clap::Command, name: &str, check: &mut impl FnMut(&str, &clap::Command)) {
    check(name, command);
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        visit(subcommand, &format!("{name} {}", subcommand.get_name()), check);
    }
}

#[test]
fn reference_lists_every_setting() {
    let reference = read("docs/reference.md");
    let settings = serde_json::to_value(ringside::datasource::Settings::default()).unwrap();
    for name in settings.as_object().unwrap().keys() {
        assert!(reference.contains(&format!("| `{name}`")), "data source setting {name}");
    }
    let source = read("src/plugin/settings.rs") + &read("src/plugin/hclog.rs");
    let names: BTreeSet<&str> = source
        .split("\"GF_PLUGIN_")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| name.chars().all(|char| char.is_ascii_uppercase() || char == '_'))
        .collect();
    assert!(names.len() > 6, "{names:?}");
    for name in names {
        let name = name.to_ascii_lowercase();
        assert!(reference.contains(&format!("| `{name}` |")), "operator setting {name}");
    }
}

#[test]
fn examples_in_the_documents_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo-data");
    run(
        &["demo", "--days", "45", "--repeat", "1", "--data-dir", data.to_str().unwrap()],
        folder.path(),
    );

    let statements = code_blocks("sql");
    assert!(statements.len() > 5, "found only {} statements", statements.len());
    for (document, sql) in statements {
        let rows =
            run(&["query", "--data-dir", "demo-data", "--output", "csv", &sql], folder.path());
        assert!(rows.lines().next().is_some_and(|head| head.contains(',')), "{document}: {sql}");
    }

    let mut count = 0;
    for (document, block) in code_blocks("sh") {
        for line in block.lines().filter(|line| line.starts_with("gpx_oura ")) {
            let words = words(line.split(" #").next().unwrap());
            let parsed = ringside::cli::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{document}: {line}: {}", parsed.unwrap_err());
            let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            // Other commands run forever or need a login.
            if ["query", "export", "doctor", "catalog"].contains(&arguments[0]) {
                // `doctor` reports the demo's missing login by its exit code.
                let output = program(&arguments, folder.path());
                assert!(output.status.code().is_some_and(|code| code < 2), "{document}: {line}");
                count += 1;
            }
        }
    }
    assert!(count > 2, "ran only {count} commands");
}

/// Splits a command line at spaces outside of double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn program(arguments: &[&str], folder: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn run(arguments: &[&str], folder: &Path) -> String {
    let output = program(arguments, folder);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn mage_targets_in_the_documents_exist() {
    let magefile = read("Magefile.go").to_lowercase();
    let mut count = 0;
    for (path, text) in documents() {
        for part in text.split("go tool mage ").skip(1) {
            let name: String = part.chars().take_while(|char| char.is_alphabetic()).collect();
            let is_target = name.is_empty() || magefile.contains(&format!("\nfunc {name}("));
            assert!(is_target, "{}: go tool mage {name}", path.display());
            count += 1;
        }
    }
    assert!(count > 4, "found only {count} targets");
}

#[test]
fn links_in_the_documents_lead_to_files() {
    let mut count = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") || file.contains(' ') {
                continue;
            }
            let target = root().join(&path).parent().unwrap().join(file);
            assert!(target.exists(), "{} links to {link}", path.display());
            count += 1;
        }
    }
    assert!(count > 15, "found only {count} links");
}

/// Paths such as `src/query/mod.rs` in the pages for developers.
#[test]
fn files_named_for_developers_exist() {
    let mut count = 0;
    for page in ["CONTRIBUTING.md", "docs/style.md", "docs/architecture.md"] {
        let text = read(page);
        for name in text.split('`').skip(1).step_by(2) {
            let is_path =
                ["src/", "tests/", "frontend/", "provisioning/", "migrations/", "benches/"]
                    .iter()
                    .any(|folder| name.starts_with(folder));
            if is_path && !name.contains([' ', '*', '<']) {
                assert!(root().join(name).exists(), "{page} names {name}");
                count += 1;
            }
        }
    }
    assert!(count > 15, "found only {count} paths");
}
