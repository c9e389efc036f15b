//go:build mage

// What is done with this repository by a person or by CI: go tool mage -l. Every target sets up what it needs.
package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/magefile/mage/mg"
	"github.com/magefile/mage/sh"
)

const (
	pluginID = "ringside-oura-datasource"
	program  = "gpx_oura"
	dist     = "dist"
	demoData = "demo-data"
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

// Test runs the linters and every test: Rust, the plugin under Grafana's own host code, the frontend, and the folder it is bundled into.
func Test() error {
	mg.SerialDeps(Lint, testRust, testHost, testFrontend, testBundle)
	return nil
}

// Lint checks the form of the Rust, Go and TypeScript code.
func Lint() error {
	mg.SerialDeps(lintGo, lintRust, lintFrontend)
	return nil
}

// Demo shows all of it at work with a synthetic person.
func Demo() error {
	mg.Deps(release)
	return sh.RunV(built("release"), "demo", "--data-dir", demoData)
}

// Soak proves at length what Test proves in short, with the release build and for the better part of an hour: kills, full disks, cut
// networks, stops of a minute, storms of faults, and a simulated year of scheduled syncs.
func Soak() error {
	atLength := map[string]string{
		"KILLS": "200", "FULL_DISKS": "60", "CUTS": "40", "STOPS": "3", "STOP_SECONDS": "61", "STORMS": "100", "SOAK_MINUTES": "20",
	}
	return sh.RunWithV(atLength, "cargo", "test", "--locked", "--release", "--test", "integration",
		"--", "--nocapture", "--test-threads", "1", "interruption::", "faults::storm::", "soak::")
}

// Fuzz looks for ten minutes each for a statement that breaks the macros, and for one that breaks the guard. A find is written to
// target/fuzz; put into tests/fuzz/corpus, it is asked again by every Test.
func Fuzz() error {
	host, err := sh.Output("rustc", "--print", "host-tuple")
	if err != nil {
		return err
	}
	// What libFuzzer needs to see which way a text takes; a target by name keeps it off the build scripts.
	coverage := map[string]string{"RUSTFLAGS": "-Cpasses=sancov-module -Ccodegen-units=1 -Cllvm-args=-sanitizer-coverage-level=4" +
		" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table" +
		" -Cllvm-args=-sanitizer-coverage-trace-compares"}
	folder := filepath.Join("target", "fuzz")
	if err := sh.RunWithV(coverage, "cargo", "build", "--locked", "--release", "--manifest-path", "tests/fuzz/Cargo.toml",
		"--target", host, "--target-dir", folder); err != nil {
		return err
	}
	for _, target := range []string{"macros", "queries"} {
		found := filepath.Join(folder, "corpus", target)
		if err := os.MkdirAll(found, 0o755); err != nil {
			return err
		}
		if err := sh.RunV(filepath.Join(folder, host, "release", target), "-max_total_time=600", "-max_len=2000", "-print_final_stats=1",
			"-artifact_prefix="+folder+string(filepath.Separator), found, filepath.Join("tests", "fuzz", "corpus", target)); err != nil {
			return err
		}
	}
	return nil
}

// Package zips dist/ so that it can be unpacked into Grafana's plugin folder.
func Package() error {
	mg.Deps(Build)
	version, err := versionOf(filepath.Join(dist, "plugin.json"))
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.zip", pluginID, version)
	if err := archive(name, dist); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	fmt.Println(name)
	return nil
}

// Clean removes everything that was built or installed here, and the demo's data.
func Clean() error {
	packages, err := filepath.Glob(pluginID + "-*.zip")
	if err != nil {
		return err
	}
	for _, made := range append(packages, dist, "coverage", demoData, filepath.Join("frontend", "node_modules")) {
		if err := sh.Rm(made); err != nil {
			return err
		}
	}
	return sh.RunV("cargo", "clean")
}

func release() error { return sh.RunV("cargo", "build", "--locked", "--release") }

func bundle() error {
	mg.Deps(nodeModules)
	return npm("run", "build")
}

func lintGo() error {
	unformatted, err := sh.Output("gofmt", "-l", "Magefile.go", "tests")
	if err != nil {
		return err
	}
	if unformatted != "" {
		return fmt.Errorf("gofmt would change:\n%s", unformatted)
	}
	// With what is built for some purposes only.
	return sh.RunV("go", "vet", "-tags", "mage,bench", "./...")
}

func lintRust() error {
	if err := sh.RunV("cargo", "fmt", "--check"); err != nil {
		return err
	}
	if err := sh.RunV("cargo", "fmt", "--check", "--manifest-path", "tests/fuzz/Cargo.toml"); err != nil {
		return err
	}
	return sh.RunV("cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings")
}

func lintFrontend() error {
	mg.Deps(nodeModules)
	if err := npm("run", "typecheck"); err != nil {
		return err
	}
	return npm("run", "lint")
}

func testRust() error { return sh.RunV("cargo", "test", "--locked") }

func testHost() error {
	if err := sh.RunV("cargo", "build", "--locked"); err != nil {
		return err
	}
	binary, err := filepath.Abs(built("debug"))
	if err != nil {
		return err
	}
	// Go does not see the binary among what a test depends on: its cached results would be of an older one.
	return sh.RunWithV(map[string]string{"RINGSIDE_BINARY": binary}, "go", "test", "-count=1", "./tests/host/...")
}

func testFrontend() error {
	mg.Deps(nodeModules)
	return npm("run", "test:ci")
}

// testBundle builds what Grafana loads, and looks whether it is all there.
func testBundle() error {
	mg.Deps(bundle)
	return sh.RunV("go", "test", "-count=1", "./tests/bundle/...")
}

// nodeModules installs the frontend's packages if the lock file has changed since they were.
func nodeModules() error {
	lock, err := os.Stat(filepath.Join("frontend", "package-lock.json"))
	if err != nil {
		return err
	}
	installed, err := os.Stat(filepath.Join("frontend", "node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return nil
	}
	return npm("ci", "--no-audit", "--no-fund")
}

func npm(arguments ...string) error {
	return sh.RunV("npm", append([]string{"--prefix", "frontend"}, arguments...)...)
}

// built is where cargo puts the program.
func built(profile string) string {
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = "target"
	}
	return filepath.Join(target, profile, program)
}

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

// archive writes the files below folder into a zip whose one top folder is the plugin's id. Programs have mode 0755, the rest 0644.
func archive(name, folder string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	zipped := zip.NewWriter(file)
	err = fs.WalkDir(os.DirFS(folder), ".", func(inside string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return add(zipped, filepath.Join(folder, inside), path.Join(pluginID, inside))
	})
	return errors.Join(err, zipped.Close())
}

func add(zipped *zip.Writer, file, name string) error {
	source, err := os.Open(file)
	if err != nil {
		return err
	}
	defer source.Close()
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(0o644)
	if strings.HasPrefix(path.Base(name), program) {
		header.SetMode(0o755)
	}
	target, err := zipped.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return err
}
