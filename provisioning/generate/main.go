// Generates the dashboards in provisioning/dashboards from Go and one SQL file for each SQL panel.
//
// Run it with `go tool mage dashboards`. A test fails when a file differs from its source.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// All dashboards, in the order of the links on each of them.
func dashboards() []*page {
	return []*page{today(), overview(), sleep(), night(), heart(), activity(), stress(), insights(), data()}
}

func main() {
	folder := filepath.Join("provisioning", "dashboards")
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	for _, page := range dashboards() {
		content, err := render(page)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, page.file()), content, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", page.uid, err)
			os.Exit(1)
		}
	}
}

// Returns the dashboard as indented JSON with sorted keys, so that a change has a small diff.
func render(page *page) ([]byte, error) {
	built, err := page.build()
	if err != nil {
		return nil, err
	}
	compact, err := json.Marshal(built)
	if err != nil {
		return nil, err
	}
	var sorted map[string]any
	if err := json.Unmarshal(compact, &sorted); err != nil {
		return nil, err
	}
	var content bytes.Buffer
	// The SDK always writes a page size, which shows a pager even for a single page.
	for _, panel := range sorted["panels"].([]any) {
		if options, ok := panel.(map[string]any)["options"].(map[string]any); ok {
			delete(options, "perPage")
		}
	}
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(sorted)
	return content.Bytes(), err
}
