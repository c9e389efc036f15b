//! The documents against the code: names, generated tables, links, and examples that run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Stdio;
use std::process::{Command, Output};
use std::sync::LazyLock;

use ringside::cli;
#[cfg(unix)]
use ringside::datasource::DataSources;
use ringside::datasource::Settings;
use ringside::query::MACROS;
use ringside::store::FUNCTIONS;
use ringside::time::Clock;

use crate::common::world::World;
use crate::common::{secret_scanner, serve};
use crate::http::moving;

/// The command that rewrites the generated tables of the reference.
const REWRITE_COMMAND: &str = "UPDATE_DOCS=1 cargo test --test integration documents::";

/// Commands with examples that are only parsed. The first three run until they are stopped. Tests in
/// `secrets.rs` and `damage.rs` run the others, which need a vault and a damaged database.
const ONLY_PARSED: &[&str] = &["serve", "simulate", "demo", "vault", "repair"];

/// Top folders of the repository. A code span that starts with one of them is a path.
const TOP_FOLDERS: &[&str] = &[
    ".github/",
    ".vale/",
    "benches/",
    "deploy/",
    "docs/",
    "frontend/",
    "migrations/",
    "packaging/",
    "provisioning/",
    "scripts/",
    "skills/",
    "src/",
    "tests/",
];

/// Documents that name texts of the interface.
const PAGES_FOR_USERS: &[&str] = &[
    "CONTRIBUTING.md",
    "README.md",
    "docs/alerting.md",
    "docs/connect.md",
    "docs/dashboards.md",
    "docs/http-api.md",
    "docs/install.md",
    "docs/operations.md",
    "docs/query.md",
    "docs/troubleshooting.md",
];

/// Texts of Grafana, Oura, Kubernetes and the Infinity data source.
const TEXTS_OF_OTHERS: &[&str] = &[
    "Alert state if no data",
    "Alerting",
    "Alerting → Alert rules → New alert rule",
    "Authentication",
    "Bearer token",
    "Connections → Data sources → Add new data source",
    "DatasourceError",
    "Export data",
    "JSONata",
    "Membership Hub",
    "Re-import",
    "Recreate",
    "Threshold: is above 0",
    "Time (UNIX ms)",
    "Time (UNIX s)",
];

/// A data folder with 60 days of a synthetic person.
static DEMO_FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents");
    let arguments = ["demo", "--days", "60", "--repeat", "1", "--data-dir"];
    run(Command::new(env!("CARGO_BIN_EXE_gpx_oura")).args(arguments).arg(&folder));
    folder
});

#[test]
fn macros_and_functions_are_in_the_reference() {
    let path = root().join("docs/reference.md");
    let text = fs::read_to_string(&path).unwrap();
    let generated = with_section(&text, "macros", &macro_table());
    let generated = with_section(&generated, "functions", &function_table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &generated).unwrap();
        return;
    }
    assert!(
        generated == text,
        "docs/reference.md differs from the code. To rewrite its tables: {REWRITE_COMMAND}"
    );
}

#[test]
fn routes_are_in_the_reference() {
    let code = fs::read_to_string(root().join("src/api/mod.rs")).unwrap();
    let routes: BTreeSet<String> = code
        .lines()
        .filter_map(|line| {
            let (route, handler) = line.trim().strip_prefix(".route(\"/")?.split_once("\", ")?;
            let method = handler.split('(').next()?.to_uppercase();
            Some(format!("{method} {route}"))
        })
        .collect();
    let documented = first_cells("HTTP API")
        .iter()
        .map(|cell| cell.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(!routes.is_empty());
    assert_eq!(routes, documented);
}

#[test]
fn commands_are_in_the_reference() {
    let commands: BTreeSet<String> =
        leaf_commands().keys().map(|name| format!("gpx_oura {name}")).collect();
    let documented =
        first_cells("Commands").into_iter().filter(|cell| cell.starts_with("gpx_oura")).collect();
    assert_eq!(commands, documented);
}

/// The table lists each flag with its commands and its environment variable.
#[test]
fn flags_are_in_the_reference() {
    let commands = leaf_commands();
    let mut flags: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for (name, command) in &commands {
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| *flag != "help") else { continue };
            let (users, variables) = flags.entry(format!("--{flag}")).or_default();
            users.insert(name.clone());
            variables.extend(argument.get_env().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    let mut documented: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for row in rows("Commands").iter().filter(|row| row[0].starts_with("`--")) {
        let named = code_spans(&row[1]);
        let is_named = |name: &String| {
            named.iter().any(|named| name == named || name.starts_with(&format!("{named} ")))
        };
        let is_exception = row[1].starts_with("all but");
        for flag in code_spans(&row[0]) {
            let (users, variables) = documented.entry(flag).or_default();
            users.extend(commands.keys().filter(|name| is_named(name) != is_exception).cloned());
            variables.extend(code_spans(&row[3]));
        }
    }
    assert_eq!(flags, documented);
}

#[test]
fn operator_settings_are_in_the_reference() {
    let mut settings = BTreeSet::new();
    for path in files(&root().join("src"), "rs") {
        let code = fs::read_to_string(path).unwrap();
        for rest in code.split("GF_PLUGIN_").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            settings.insert(name.to_lowercase());
        }
    }
    settings.remove("");
    assert_eq!(settings, first_cells("Settings of the operator"));
}

#[test]
fn data_source_settings_are_in_the_reference() {
    let json = serde_json::to_value(Settings::default()).unwrap();
    let mut settings: BTreeSet<String> = json.as_object().unwrap().keys().cloned().collect();
    settings.insert("clientSecret".to_owned());
    assert_eq!(settings, first_cells("Settings of a data source"));
}

#[test]
fn sql_examples_run() {
    let mut examples = 0;
    for (path, text) in documents() {
        for sql in blocks(&text, "sql") {
            println!("{}: {sql}", path.display());
            let mut query = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
            let output = run(query
                .args(["query", &sql, "--output", "csv"])
                .env("RINGSIDE_DATA_DIR", demo()));
            assert!(output.stdout.iter().filter(|byte| **byte == b'\n').count() > 1, "no rows");
            examples += 1;
        }
    }
    assert!(examples > 5, "only {examples} examples");
}

/// The commands of a document run in their order, in folders of their own.
#[tokio::test(flavor = "multi_thread")]
async fn shell_examples_are_parsed_and_run() {
    let oura = World::new(3, Clock::system()).await;
    let mut runs = 0;
    for (path, text) in documents() {
        let lines = blocks(&text, "sh").join("\n");
        let mut commands: Vec<Vec<String>> = lines.lines().map(shell_words).collect();
        commands.retain(|words| words.first().is_some_and(|word| word == "gpx_oura"));
        for words in &commands {
            println!("{}: {words:?}", path.display());
            cli::command().try_get_matches_from(words).unwrap();
        }
        commands.retain(|words| !ONLY_PARSED.contains(&words[1].as_str()));
        if commands.is_empty() {
            continue;
        }
        let sandbox = Sandbox::new();
        for words in &commands {
            let mut command = sandbox.command(words);
            run(command.env("GF_PLUGIN_OURA_URL", oura.simulator.origin().as_str()));
            runs += 1;
        }
    }
    assert!(runs > 20, "only {runs} commands");
}

/// The folders in which the commands of one document run.
struct Sandbox {
    /// A data folder with a few days.
    data: tempfile::TempDir,
    /// The working folder, with an export of an account.
    work: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Sandbox {
        let work = tempfile::tempdir().unwrap();
        let account = moving::archive(&moving::account_files());
        fs::write(work.path().join("account.zip"), account).unwrap();
        Sandbox { data: serve::data_folder(), work }
    }

    /// The command of an example, with the sandbox's folders in the place of those in the example.
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
        for word in &words[1..] {
            match word.as_str() {
                "demo-data" | "/data" | "/var/lib/grafana/ringside-oura-datasource-data" => {
                    command.arg(self.data.path())
                }
                "~/oura" => command.arg("new"),
                "s3://bucket/ringside" => command.arg("lake"),
                word => command.arg(word),
            };
        }
        command.env("RINGSIDE_DATA_DIR", self.data.path()).current_dir(self.work.path());
        command
    }
}

/// Examples with curl and scripts run against `serve` with a login.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn http_examples_run() {
    let oura = World::new(70, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(oura.environment(folder.path())).unwrap();
    drop(oura.connected(&datasources).await);
    datasources.shutdown().await;
    drop(datasources);
    let (read, admin) = ("read-read-read-read", "admin-admin-admin-admin");
    let mut serve = Serve(
        Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .env("GF_PLUGIN_OURA_URL", oura.simulator.origin().as_str())
            .envs([("RINGSIDE_READ_TOKEN", read), ("RINGSIDE_ADMIN_TOKEN", admin)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(serve.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let origin = line.trim().trim_start_matches("listening on ");
    let work = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("scripts"), work.path().join("scripts")).unwrap();
    let mut examples = 0;
    for (path, text) in documents() {
        for block in blocks(&text, "sh") {
            if !block.contains("curl ") && !block.contains("scripts/") {
                continue;
            }
            println!("{}: {block}", path.display());
            let mut shell = Command::new("sh");
            shell
                .args(["-euc", &block])
                .current_dir(work.path())
                .envs([("RINGSIDE_READ_TOKEN", read), ("RINGSIDE_ADMIN_TOKEN", admin)])
                .envs([("RINGSIDE_URL", format!("{origin}/api")), ("POLL_SECONDS", "0.1".into())]);
            let output = tokio::task::spawn_blocking(move || run(&mut shell)).await.unwrap();
            assert!(!output.stdout.is_empty() || block.contains("--output"), "no output");
            examples += 1;
        }
    }
    let copy = std::fs::metadata(work.path().join("oura-copy.db")).unwrap();
    assert!(copy.len() > 100_000, "{copy:?}");
    assert!(examples > 4, "only {examples} examples");
}

/// A server that ends with the test, even if it fails.
#[cfg(unix)]
struct Serve(std::process::Child);

#[cfg(unix)]
impl Drop for Serve {
    fn drop(&mut self) {
        // Both fail if the program has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Error codes, reasons and metrics in the tables for readers are those of the code.
#[test]
fn codes_in_tables_exist() {
    let code: String = files(&root().join("src"), "rs")
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut count = 0;
    for (path, text) in documents() {
        let mut is_listed = false;
        for line in text.lines() {
            if line.starts_with("| code |")
                || line.starts_with("| reason |")
                || line.starts_with("| metric | watch")
            {
                is_listed = true;
            } else if !line.starts_with('|') {
                is_listed = false;
            } else if is_listed {
                let first = line.split('|').nth(1).unwrap();
                for name in code_spans(first) {
                    assert!(
                        code.contains(&format!("\"{name}\"")),
                        "{}: unknown {name}",
                        path.display()
                    );
                    count += 1;
                }
            }
        }
    }
    assert!(count > 40, "only {count} codes");
}

#[test]
fn mage_targets_exist() {
    let code = fs::read_to_string(root().join("Magefile.go")).unwrap();
    let targets: BTreeSet<String> = code
        .lines()
        .filter_map(|line| Some(line.strip_prefix("func ")?.split_once("()")?.0))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(str::to_lowercase)
        .collect();
    let mut count = 0;
    for (path, text) in documents() {
        for rest in text.split("go tool mage ").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '-').collect();
            assert!(
                name == "-l" || targets.contains(&name),
                "{}: unknown target {name}",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count > 4, "found only {count} targets");
}

#[test]
fn links_and_images_exist() {
    let mut broken = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        for link in links(&text).filter(|link| !link.contains("://") && !link.contains("mailto:")) {
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let has_heading = || {
                let text = fs::read_to_string(&target).unwrap();
                text.lines().any(|line| {
                    line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading
                })
            };
            if !target.exists() || (!heading.is_empty() && !has_heading()) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(count > 15, "found only {count} links");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn files_named_in_documents_exist() {
    let mut missing = Vec::new();
    let mut found = BTreeSet::new();
    for (path, text) in documents() {
        for span in text.lines().flat_map(code_spans) {
            let is_path = TOP_FOLDERS.iter().any(|folder| span.starts_with(folder))
                && !span.contains([' ', '<', '*', '…']);
            if is_path && !root().join(&span).exists() {
                missing.push(format!("{}: {span}", path.display()));
            } else if is_path && path.ends_with("CONTRIBUTING.md") {
                found.insert(span);
            }
        }
    }
    assert!(missing.is_empty(), "missing files:\n{}", missing.join("\n"));
    assert!(found.len() > 15, "CONTRIBUTING.md names only {found:?}");
}

#[test]
fn modules_of_the_architecture_exist() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for row in table_rows(section(&text, "Modules")).iter().skip(1) {
        for span in code_spans(&row[0]) {
            assert!(root().join("src").join(&span).exists(), "no module {span}");
        }
    }
    for span in text.lines().flat_map(code_spans).filter(|span| span.ends_with(".rs")) {
        let exists = ["", "src", "src/plugin", "src/query/metrics"]
            .iter()
            .any(|folder| root().join(folder).join(&span).exists());
        assert!(exists, "no file {span}");
    }
}

/// Texts in italics of the pages for users are in the interface, or belong to another program.
#[test]
fn texts_of_the_interface_exist() {
    let mut interface = String::new();
    for (folder, extension) in
        [("frontend/src", "tsx"), ("frontend/src", "ts"), ("provisioning/dashboards", "json")]
    {
        for path in files(&root().join(folder), extension) {
            if !path.to_string_lossy().contains(".test.") {
                interface += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let mut count = 0;
    for (path, text) in documents() {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if !PAGES_FOR_USERS.contains(&name) {
            continue;
        }
        for text in text.lines().flat_map(italics) {
            let is_known = interface.contains(&text) || TEXTS_OF_OTHERS.contains(&text.as_str());
            assert!(is_known, "{name}: unknown text {text:?}");
            count += 1;
        }
    }
    assert!(count > 50, "found only {count} texts");
}

#[test]
fn views_are_in_the_documents() {
    let read = |name: &str| fs::read_to_string(root().join("docs").join(name)).unwrap();
    let architecture = read("architecture.md");
    let reference = read("reference.md");
    for path in files(&root().join("src/store/views"), "sql") {
        let view = format!("`{}`", path.file_stem().unwrap().to_str().unwrap());
        assert!(architecture.contains(&view), "docs/architecture.md lacks {view}");
        // `nights` reads it. Queries rarely need it.
        if view != "`main_sleep`" {
            assert!(reference.contains(&view), "docs/reference.md lacks {view}");
        }
    }
}

/// Every claim of docs/security.md names a test that exists.
#[test]
fn claims_about_security_name_their_tests() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let code: String = ["src", "tests", "packaging"]
        .iter()
        .flat_map(|folder| {
            ["rs", "go"].iter().flat_map(move |kind| files(&root().join(folder), kind))
        })
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut claims = 0;
    for title in [
        "Untrusted parties",
        "Files and memory",
        "Secrets in output",
        "Availability",
        "Stored data",
        "Tokens of `serve`",
        "RFC 9700",
        "OWASP",
        "Grafana",
        "Doors",
    ] {
        for row in table_rows(section(&text, title)).iter().skip(1) {
            let tests: Vec<String> = code_spans(&row[row.len() - 2]);
            assert!(!tests.is_empty(), "{title}: no test in {row:?}");
            for test in tests {
                let exists = code.contains(&format!("fn {test}("))
                    || code.contains(&format!("func {test}("));
                assert!(exists, "{title}: no test {test}");
                claims += 1;
            }
        }
    }
    assert!(claims > 60, "{claims} claims");
}

#[test]
fn tests_named_in_resilience_exist() {
    let text = fs::read_to_string(root().join("docs/resilience.md")).unwrap();
    let faults = table_rows(section(&text, "Faults"));
    assert!(faults.len() > 10);
    for name in faults.iter().skip(1).flat_map(|row| code_spans(&row[2])) {
        let exists = ["tests/integration", "src"].iter().any(|folder| {
            let path = root().join(folder).join(&name);
            path.with_extension("rs").exists() || path.is_dir()
        });
        assert!(exists, "no test {name}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn demo() -> &'static Path {
    &DEMO_FOLDER
}

/// Runs `command`, and panics with its output if it fails.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    secret_scanner::scan(&output.stdout);
    secret_scanner::scan(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The files below `folder` with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All documents with their texts: those in the top folder, in `docs/` and in `skills/`.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = files(&root().join("docs"), "md");
    paths.extend(files(&root().join("skills"), "md"));
    paths.extend(
        fs::read_dir(root())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
    );
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The part of `text` below the heading `title`, up to the next heading of the second level.
pub fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let heading = format!("\n## {title}\n");
    let start = text.find(&heading).unwrap_or_else(|| panic!("no section {title}"));
    let rest = &text[start + heading.len()..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// The rows of the reference's tables below the heading `title`.
fn rows(title: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/reference.md")).unwrap();
    table_rows(section(&text, title))
}

/// The rows of all tables in `text` as cells, headers included.
pub fn table_rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The first code span of the first cell of each row below the heading `title`.
fn first_cells(title: &str) -> BTreeSet<String> {
    rows(title).iter().filter_map(|row| code_spans(&row[0]).into_iter().next()).collect()
}

/// The texts between backticks in one line.
fn code_spans(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The texts in italics of one line that begin with a capital letter.
fn italics(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect();
    let parts = prose.replace("**", "");
    let texts = parts.split('*').skip(1).step_by(2);
    texts.filter(|text| text.starts_with(|c: char| c.is_uppercase())).map(str::to_owned).collect()
}

/// The contents of the fenced blocks of one language.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in text.lines() {
        match open.as_mut() {
            Some(lines) if line.trim() == "```" => {
                blocks.push(lines.join("\n"));
                open = None;
            }
            Some(lines) => lines.push(line),
            None if line.trim() == fence => open = Some(Vec::new()),
            None => {}
        }
    }
    blocks
}

/// The targets of all Markdown links and images.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The anchor that GitHub makes from a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The words of a shell command without expansions. Double quotes keep spaces, `#` starts a
/// comment.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let code = part.split(" #").next().unwrap_or_default();
        words.extend(code.split_whitespace().map(str::to_owned));
    }
    words
}

/// The commands without subcommands, by their names after `gpx_oura`.
fn leaf_commands() -> BTreeMap<String, clap::Command> {
    fn collect(prefix: &str, command: &clap::Command, into: &mut BTreeMap<String, clap::Command>) {
        for child in command.get_subcommands() {
            let name = format!("{prefix}{}", child.get_name());
            if child.has_subcommands() {
                collect(&format!("{name} "), child, into);
            } else {
                into.insert(name, child.clone());
            }
        }
    }
    let mut commands = BTreeMap::new();
    collect("", &cli::command(), &mut commands);
    commands
}

/// Returns `text` with `table` between the comments of the section `name`.
pub fn with_section(text: &str, name: &str, table: &str) -> String {
    let start = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = text.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{start}{table}{end}{after}")
}

fn macro_table() -> String {
    let rows = MACROS.iter().map(|row| [code(row.usage), row.description.to_owned()]);
    table(["macro", "meaning"], rows)
}

fn function_table() -> String {
    let rows = FUNCTIONS
        .iter()
        .map(|row| [code(row.usage), row.description.to_owned(), code(row.example)]);
    table(["function", "meaning", "example"], rows)
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(N));
    for row in rows {
        table += &format!("| {} |\n", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    table
}

fn code(text: &str) -> String {
    format!("`{text}`")
}
