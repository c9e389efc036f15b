package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// LicensesFile is the name of the licence texts in the plugin folder.
const LicensesFile = "THIRD_PARTY_LICENSES.txt"

// StandardLibraryFile is the name of the licences of Rust's standard library in the plugin folder.
const StandardLibraryFile = "RUST_LIBRARY_LICENSES.html"

// StandardLibrary returns the licences of Rust's standard library and of the libraries in it, which
// every toolchain contains.
func StandardLibrary() ([]byte, error) {
	sysroot, err := exec.Command("rustc", "--print", "sysroot").Output()
	if err != nil {
		return nil, fmt.Errorf("rustc --print sysroot: %w", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(sysroot)), "share", "doc", "rust")
	return os.ReadFile(filepath.Join(folder, "COPYRIGHT-library.html"))
}

// Licenses returns the licence and the licence texts of every library. A text that several of them
// share appears once.
func Licenses(libraries []Library) ([]byte, error) {
	var list, texts bytes.Buffer
	numbers := map[string]int{}
	for _, library := range libraries {
		files, err := licenseFiles(library.folder)
		if err != nil {
			return nil, err
		}
		var used []string
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			text := strings.TrimSpace(strings.ReplaceAll(string(content), "\r\n", "\n"))
			if numbers[text] == 0 {
				numbers[text] = len(numbers) + 1
				fmt.Fprintf(&texts, "\n==== Text %d ====\n\n%s\n", numbers[text], text)
			}
			used = append(used, fmt.Sprint(numbers[text]))
		}
		where := "texts " + strings.Join(used, ", ")
		if used == nil {
			// Some authors publish a crate without the file. Its licence has a standard text.
			where = "no text in the crate, see " + library.Repository
		}
		fmt.Fprintf(&list, "%s %s: %s (%s)\n", library.Name, library.Version,
			library.License, where)
	}
	header := "Libraries in the binary gpx_oura, with their licences and the licence texts below.\n" +
		"The crate libsqlite3-sys contains SQLite, which is in the public domain.\n" +
		"The licences of Rust's standard library are in " + StandardLibraryFile + ".\n\n"
	return slices.Concat([]byte(header), list.Bytes(), texts.Bytes()), nil
}

// licenseFiles returns the licence files in a folder, sorted by name.
func licenseFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		for _, prefix := range []string{"LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"} {
			if entry.Type().IsRegular() && strings.HasPrefix(name, prefix) {
				files = append(files, filepath.Join(folder, entry.Name()))
			}
		}
	}
	return files, nil
}
