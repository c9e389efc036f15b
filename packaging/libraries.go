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
// exclude libraries of build scripts and tests, and Rust's standard library.
func Libraries(manifest string, targets ...string) ([]Library, error) {
	arguments := []string{"metadata", "--format-version", "1", "--locked", "--manifest-path", manifest}
	for _, target := range targets {
		arguments = append(arguments, "--filter-platform", target)
	}
	output, err := exec.Command("cargo", arguments...).Output()
	if err != nil {
		return nil, fmt.Errorf("cargo metadata: %w", err)
	}
	var metadata struct {
		Packages []struct {
			ID, Name, Version, License, Repository, Source string
			ManifestPath                                   string `json:"manifest_path"`
		}
		Resolve struct {
			Root  string
			Nodes []struct {
				ID   string
				Deps []struct {
					Pkg      string
					DepKinds []struct{ Kind string } `json:"dep_kinds"`
				}
			}
		}
	}
	if err := json.Unmarshal(output, &metadata); err != nil {
		return nil, fmt.Errorf("cargo metadata: %w", err)
	}
	uses := map[string][]string{}
	for _, node := range metadata.Resolve.Nodes {
		for _, dependency := range node.Deps {
			for _, kind := range dependency.DepKinds {
				if kind.Kind == "" {
					uses[node.ID] = append(uses[node.ID], dependency.Pkg)
				}
			}
		}
	}
	reached := map[string]bool{metadata.Resolve.Root: true}
	for waiting := []string{metadata.Resolve.Root}; len(waiting) > 0; {
		id := waiting[0]
		waiting = waiting[1:]
		for _, used := range uses[id] {
			if !reached[used] {
				reached[used] = true
				waiting = append(waiting, used)
			}
		}
	}
	var libraries []Library
	for _, found := range metadata.Packages {
		if reached[found.ID] && found.ID != metadata.Resolve.Root {
			libraries = append(libraries, Library{found.Name, found.Version, found.License,
				found.Repository, "pkg:cargo/" + found.Name + "@" + found.Version,
				filepath.Dir(found.ManifestPath)})
		}
	}
	if slices.ContainsFunc(targets, func(target string) bool {
		return strings.Contains(target, "-musl")
	}) {
		linked := musl
		linked.folder = filepath.Join(filepath.Dir(manifest), musl.folder)
		libraries = append(libraries, linked)
	}
	slices.SortFunc(libraries, func(a, b Library) int {
		return strings.Compare(a.Name+" "+a.Version, b.Name+" "+b.Version)
	})
	return libraries, nil
}
