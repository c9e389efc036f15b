package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func TestDashboardFilesMatchTheirSource(t *testing.T) {
	for _, page := range dashboards() {
		generated, err := render(page)
		if err != nil {
			t.Fatalf("%s: %v", page.uid, err)
		}
		stored, err := os.ReadFile(filepath.Join("..", "dashboards", page.file()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(generated, stored) {
			t.Errorf("%s differs from its source: run `go tool mage dashboards`", page.file())
		}
	}
}

func TestEveryPanelHasTextsAndQueries(t *testing.T) {
	eachPanel(t, func(t *testing.T, page *page, panel dashboard.Panel) {
		if panel.Title == nil || *panel.Title == "" || len(*panel.Title) > 40 {
			t.Errorf("panel %d of %s needs a title of at most 40 letters", *panel.Id, page.uid)
		}
		if panel.Description == nil || !strings.HasSuffix(*panel.Description, ".") {
			t.Errorf("%s needs a description that is a sentence", *panel.Title)
		}
		if panel.FieldConfig.Defaults.NoValue == nil && !answersWhenEmpty(panel) {
			t.Errorf("%s needs a text for the case without data", *panel.Title)
		}
		if len(panel.Targets) == 0 {
			t.Errorf("%s has no query", *panel.Title)
		}
	})
}

func TestTitlesAreUniqueWithinADashboard(t *testing.T) {
	seen := map[string]bool{}
	eachPanel(t, func(t *testing.T, page *page, panel dashboard.Panel) {
		key := page.uid + ": " + *panel.Title
		if seen[key] {
			t.Errorf("two panels are called %s", key)
		}
		seen[key] = true
	})
}

func TestLinksLeadToDashboardsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, page := range dashboards() {
		known[page.uid] = true
	}
	target := regexp.MustCompile(`/d/(oura-[a-z]+)`)
	for _, page := range dashboards() {
		content, err := render(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range target.FindAllStringSubmatch(string(content), -1) {
			if !known[match[1]] {
				t.Errorf("%s links to %s", page.uid, match[1])
			}
		}
	}
}

// A number in a column called Time becomes an instant of 1970.
func TestNoNumberIsCalledTime(t *testing.T) {
	files, err := filepath.Glob("sql/*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no statements: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(content)), `as "time"`) {
			t.Errorf("%s has a column called Time", file)
		}
	}
}

// Whether the panel's statement returns a row with a text when there is no data.
func answersWhenEmpty(panel dashboard.Panel) bool {
	for _, target := range panel.Targets {
		if query, ok := target.(dataquery); ok && strings.Contains(query.RawSQL, "WHERE NOT EXISTS") {
			return true
		}
	}
	return false
}

func eachPanel(t *testing.T, check func(*testing.T, *page, dashboard.Panel)) {
	count := 0
	for _, page := range dashboards() {
		for _, panel := range page.panels {
			count++
			check(t, page, panel)
		}
	}
	if count < 50 {
		t.Errorf("found only %d panels", count)
	}
}
