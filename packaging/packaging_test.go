package packaging

import (
	"archive/zip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const target = "x86_64-unknown-linux-gnu"

func libraries(t *testing.T) []Library {
	t.Helper()
	found, err := Libraries(filepath.Join("..", "Cargo.toml"), target)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestLibrariesAreThoseOfTheBinary(t *testing.T) {
	names := map[string]bool{}
	for _, library := range libraries(t) {
		names[library.Name] = true
	}
	for _, linked := range []string{"rusqlite", "libsqlite3-sys", "tokio", "arrow", "rustls"} {
		if !names[linked] {
			t.Errorf("%s is missing", linked)
		}
	}
	for _, other := range []string{"ringside", "proptest", "divan", "cc", "syn", "windows-sys", "musl"} {
		if names[other] {
			t.Errorf("%s is not in the binary", other)
		}
	}
}

// Each target that the workflow builds adds its own libraries to the licences of a release.
func TestReleaseNamesTheLibrariesOfEveryTarget(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", ".github", "workflows", "release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	matrix := regexp.MustCompile(`target: (\S+), name: (\S+) }`)
	var binaries, built []string
	for _, entry := range matrix.FindAllStringSubmatch(string(content), -1) {
		built = append(built, entry[1])
		binaries = append(binaries, filepath.Join("binaries", entry[2]))
	}
	targets, err := Targets(binaries)
	if err != nil {
		t.Fatal(err)
	}
	if len(built) != len(released) || !slices.Equal(targets, built) {
		t.Errorf("the workflow builds %v, and the licences are those of %v", built, targets)
	}
	found, err := Libraries(filepath.Join("..", "Cargo.toml"), targets...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Licenses(found); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"rusqlite", "core-foundation-sys", "windows-sys", "musl"} {
		if !slices.ContainsFunc(found, func(library Library) bool { return library.Name == name }) {
			t.Errorf("%s is missing", name)
		}
	}
	if _, err := Targets([]string{"binaries/gpx_oura_plan9_amd64"}); err == nil {
		t.Error("an unknown binary is accepted")
	}
}

func TestEveryLibraryHasALicense(t *testing.T) {
	found := libraries(t)
	content, err := Licenses(found)
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range found {
		if library.License == "" {
			t.Errorf("%s has no licence", library.Name)
		}
		if !strings.Contains(string(content), "\n"+library.Name+" "+library.Version+": ") {
			t.Errorf("%s is missing", library.Name)
		}
	}
	for _, text := range []string{"Apache License", "Permission is hereby granted, free of charge"} {
		if !strings.Contains(string(content), text) {
			t.Errorf("no text with %q", text)
		}
	}
	if len(content) > 1<<20 {
		t.Errorf("%d bytes: texts are repeated", len(content))
	}
}

func TestStandardLibraryHasLicenses(t *testing.T) {
	content, err := StandardLibrary()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"The Rust Standard Library", "hashbrown", "MIT"} {
		if !strings.Contains(string(content), text) {
			t.Errorf("no %q", text)
		}
	}
}

func TestBillNamesEveryLibrary(t *testing.T) {
	found := libraries(t)
	content, err := Bill("plugin", "1.2.3", found)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BomFormat, SpecVersion string
		Metadata               struct{ Component struct{ Version string } }
		Components             []struct{ Purl string }
	}
	if err := json.Unmarshal(content, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BomFormat != "CycloneDX" || bill.SpecVersion != "1.6" ||
		bill.Metadata.Component.Version != "1.2.3" {
		t.Errorf("header: %+v", bill)
	}
	if len(bill.Components) != len(found) || len(found) < 50 {
		t.Errorf("%d components for %d libraries", len(bill.Components), len(found))
	}
	for i, library := range found {
		if want := "pkg:cargo/" + library.Name + "@" + library.Version; bill.Components[i].Purl != want {
			t.Errorf("%s instead of %s", bill.Components[i].Purl, want)
		}
	}
}

func TestArchiveHasOneTopFolderAndModes(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"gpx_oura_linux_amd64", "plugin.json", "img/gpx_oura.svg"} {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "plugin.zip")
	if err := Archive(name, folder, "an-id", "gpx_oura"); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	modes := map[string]os.FileMode{}
	for _, file := range archive.File {
		modes[file.Name] = file.Mode().Perm()
	}
	want := map[string]os.FileMode{
		"an-id/gpx_oura_linux_amd64": 0o755, "an-id/plugin.json": 0o644,
		"an-id/img/gpx_oura.svg": 0o644,
	}
	for name, mode := range want {
		if modes[name] != mode {
			t.Errorf("%s has mode %o instead of %o", name, modes[name], mode)
		}
	}
	if len(modes) != len(want) {
		t.Errorf("files: %v", modes)
	}
}

func TestChecksumIsAcceptedBySha256sum(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "plugin.zip")
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Checksum(name); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(name + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	const content = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
	if string(line) != content+"  plugin.zip\n" {
		t.Errorf("checksum file: %q", line)
	}
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum to check the file's format")
	}
	check := exec.Command("sha256sum", "--check", "plugin.zip.sha256")
	check.Dir = folder
	if output, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func TestRelativeLinksBecomeAbsolute(t *testing.T) {
	for document, want := range map[string]string{
		"[a](docs/a.md)":            "[a](" + Repository + "/blob/v1.0.0/docs/a.md)",
		"[a](docs/a.md#part)":       "[a](" + Repository + "/blob/v1.0.0/docs/a.md#part)",
		"![a](docs/img/a.png)":      "![a](" + Repository + "/raw/v1.0.0/docs/img/a.png)",
		"[a](https://example.com/)": "[a](https://example.com/)",
		"[a](#part)":                "[a](#part)",
		"[a](mailto:a@example.com)": "[a](mailto:a@example.com)",
	} {
		if got := AbsoluteLinks(document, "1.0.0"); got != want {
			t.Errorf("%s becomes %s", document, got)
		}
	}
}
