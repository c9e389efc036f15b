// Package packaging makes the files around the plugin folder: the licences of its dependencies, its
// bill of materials, its archive and its checksum.
package packaging

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Library is a library that is part of the binary.
type Library struct {
	Name, Version, License, Repository string
	// URL is its package URL.
	URL string
	// folder has its licence texts.
	folder string
}

// musl is the C library in the static binaries for Linux: the version that Zig contains.
var musl = Library{
	"musl", "1.2.5", "MIT", "https://musl.libc.org", "pkg:generic/musl@1.2.5",
	filepath.Join("packaging", "musl"),
}

// released has the target triple of each binary of a release, by the end of the binary's name.
var released = map[string]string{
	"darwin_amd64":      "x86_64-apple-darwin",
	"darwin_arm64":      "aarch64-apple-darwin",
	"linux_amd64":       "x86_64-unknown-linux-musl",
	"linux_arm":         "armv7-unknown-linux-musleabihf",
	"linux_arm64":       "aarch64-unknown-linux-musl",
	"windows_amd64.exe": "x86_64-pc-windows-msvc",
}

// Targets returns the target triples of the binaries of a release, each called
// <program>_<system>_<processor>.
func Targets(binaries []string) ([]string, error) {
	var targets []string
	for _, binary := range binaries {
		parts := strings.Split(filepath.Base(binary), "_")
		target, found := released[strings.Join(parts[max(len(parts)-2, 0):], "_")]
		if !found {
			return nil, fmt.Errorf("%s is not the name of a binary of a release", binary)
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// Libraries returns the libraries of the binaries for all target triples, sorted by name. They
// exclude libraries of build scripts, macros and tests, and Rust's standard library.
func Libraries(manifest string, targets ...string) ([]Library, error) {
	linked := map[string]bool{}
	for _, target := range targets {
		tree, err := cargo(manifest, "tree", "--target", target, "--prefix", "none",
			"--edges", "normal,no-proc-macro")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(tree)) {
			// Such as `jiff v1.0.1`. A crate from a folder has its path at the end.
			if words := strings.Fields(line); len(words) >= 2 {
				linked[words[0]+" "+strings.TrimPrefix(words[1], "v")] = true
			}
		}
	}
	output, err := cargo(manifest, "metadata", "--format-version", "1")
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Packages []struct {
			ID, Name, Version, License, Repository string
			ManifestPath                           string `json:"manifest_path"`
		}
		Resolve struct{ Root string }
	}
	if err := json.Unmarshal(output, &metadata); err != nil {
		return nil, fmt.Errorf("cargo metadata: %w", err)
	}
	var libraries []Library
	for _, found := range metadata.Packages {
		if linked[found.Name+" "+found.Version] && found.ID != metadata.Resolve.Root {
			libraries = append(libraries, Library{found.Name, found.Version, found.License,
				found.Repository, "pkg:cargo/" + found.Name + "@" + found.Version,
				filepath.Dir(found.ManifestPath)})
		}
	}
	if slices.ContainsFunc(targets, func(target string) bool {
		return strings.Contains(target, "-musl")
	}) {
		static := musl
		static.folder = filepath.Join(filepath.Dir(manifest), musl.folder)
		libraries = append(libraries, static)
	}
	slices.SortFunc(libraries, func(a, b Library) int {
		return strings.Compare(a.Name+" "+a.Version, b.Name+" "+b.Version)
	})
	return libraries, nil
}

// cargo returns the output of a command of cargo for the crate of a manifest.
func cargo(manifest, command string, arguments ...string) ([]byte, error) {
	arguments = append([]string{command, "--locked", "--manifest-path", manifest}, arguments...)
	output, err := exec.Command("cargo", arguments...).Output()
	if err != nil {
		return nil, fmt.Errorf("cargo %s: %w", command, err)
	}
	return output, nil
}
