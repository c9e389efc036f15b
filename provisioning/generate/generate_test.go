package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// builtIn are the kinds of panels that each Grafana has.
var builtIn = []string{
	"barchart", "bargauge", "candlestick", "heatmap", "stat", "state-timeline", "status-history",
	"table", "timeseries", "trend",
}

func TestPanelsNeedNoOtherPluginAndNoCertainDataSource(t *testing.T) {
	ids := map[string]bool{}
	eachPanel(t, func(t *testing.T, page *page, panel dashboard.Panel) {
		if !slices.Contains(builtIn, panel.Type) {
			t.Errorf("%s, %s is a panel of the kind %s", page.uid, *panel.Title, panel.Type)
		}
		id := fmt.Sprintf("%s %d", page.uid, *panel.Id)
		if ids[id] {
			t.Errorf("two panels have the number %s", id)
		}
		ids[id] = true
		if *panel.Datasource.Uid != "${datasource}" {
			t.Errorf("%s, %s reads %s", page.uid, *panel.Title, *panel.Datasource.Uid)
		}
	})
	uids := regexp.MustCompile(`"uid": "([^"]+)"`)
	for _, page := range dashboards() {
		content, err := render(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range uids.FindAllStringSubmatch(string(content), -1) {
			if match[1] != "${datasource}" && match[1] != page.uid {
				t.Errorf("%s names the data source %s", page.uid, match[1])
			}
		}
	}
}

// Bars that do not begin at zero make small differences look large. The limit is the panel's: a
// field with a limit of its own gets an axis of its own.
func TestBarsBeginAtZero(t *testing.T) {
	type property struct {
		ID    string
		Value any
	}
	type renderedPanel struct {
		Title       string
		FieldConfig struct {
			Defaults struct {
				Min    *float64
				Custom struct {
					DrawStyle   string
					AxisSoftMin *float64
				}
			}
			Overrides []struct{ Properties []property }
		}
	}
	isZero := func(limit *float64) bool { return limit != nil && *limit == 0 }
	count := 0
	for _, page := range dashboards() {
		content, err := render(page)
		if err != nil {
			t.Fatal(err)
		}
		var rendered struct{ Panels []renderedPanel }
		if err := json.Unmarshal(content, &rendered); err != nil {
			t.Fatal(err)
		}
		for _, panel := range rendered.Panels {
			own := panel.FieldConfig.Defaults
			hasBars := own.Custom.DrawStyle == "bars"
			for _, override := range panel.FieldConfig.Overrides {
				for _, property := range override.Properties {
					hasBars = hasBars || property.ID == "custom.drawStyle" && property.Value == "bars"
					if property.ID == "custom.axisSoftMin" {
						t.Errorf("a field of %s, %s has a limit of its own", page.uid, panel.Title)
					}
				}
			}
			if !hasBars {
				continue
			}
			count++
			if !isZero(own.Min) && !isZero(own.Custom.AxisSoftMin) {
				t.Errorf("the axis of %s, %s does not begin at zero", page.uid, panel.Title)
			}
		}
	}
	if count < 12 {
		t.Errorf("found only %d panels with bars", count)
	}
}

// Every dashboard has the version of Grafana 12.4, links to all dashboards, a variable for the
// person, and switches for its annotations.
func TestDashboardsShareTheirFrame(t *testing.T) {
	uids := map[string]bool{}
	for _, page := range dashboards() {
		built, err := page.build()
		if err != nil {
			t.Fatal(err)
		}
		if built.SchemaVersion != 42 {
			t.Errorf("%s has the schema version %d", page.uid, built.SchemaVersion)
		}
		if uids[page.uid] {
			t.Errorf("two dashboards have the uid %s", page.uid)
		}
		uids[page.uid] = true
		if len(built.Links) != len(dashboards()) {
			t.Errorf("%s has %d links", page.uid, len(built.Links))
		}
		for place, target := range dashboards() {
			link := built.Links[place]
			hasOwnTime := target.uid == "oura-today" || target.uid == "oura-night" ||
				page.uid == "oura-today" || page.uid == "oura-night"
			if *link.Url != "/d/"+target.uid || !link.IncludeVars || link.KeepTime == hasOwnTime {
				t.Errorf("%s, link %d: %s, keeps the time: %t", page.uid, place, *link.Url, link.KeepTime)
			}
			if link.Placement != nil {
				t.Errorf("%s hides the link to %s", page.uid, target.uid)
			}
		}
		if first := built.Templating.List[0]; first.Type != "datasource" || *first.Label != "Person" {
			t.Errorf("the first variable of %s is %s", page.uid, first.Name)
		}
		for _, annotation := range built.Annotations.List {
			if annotation.Hide == nil || *annotation.Hide {
				t.Errorf("%s has no switch for %s", page.uid, annotation.Name)
			}
		}
	}
}

// The annotations and variables that some dashboards have.
func TestEveryAnnotationAndVariableIsOffered(t *testing.T) {
	annotations, variables := map[string]bool{}, map[string]bool{}
	for _, page := range dashboards() {
		built, err := page.build()
		if err != nil {
			t.Fatal(err)
		}
		for _, annotation := range built.Annotations.List {
			annotations[annotation.Name] = true
		}
		for _, variable := range built.Templating.List {
			variables[variable.Name] = true
		}
	}
	for _, name := range []string{
		"Workouts", "Tags", "Sessions", "Naps", "Rest mode (readings differ)", "Time zone moves",
	} {
		if !annotations[name] {
			t.Errorf("no dashboard shows %s", name)
		}
	}
	for _, name := range []string{"datasource", "every", "compare", "score", "outcome", "cause", "tag"} {
		if !variables[name] {
			t.Errorf("no dashboard has the variable %s", name)
		}
	}
}

// A click on a night or day opens the night, in the panels with a value per night.
func TestValuesOfANightLeadToIt(t *testing.T) {
	links := map[string]int{}
	eachPanel(t, func(_ *testing.T, page *page, panel dashboard.Panel) {
		for _, override := range panel.FieldConfig.Overrides {
			for _, property := range override.Properties {
				if property.Id == "links" {
					links[page.uid]++
				}
			}
		}
	})
	for _, uid := range []string{"oura-overview", "oura-sleep", "oura-night", "oura-heart", "oura-insights"} {
		if links[uid] == 0 {
			t.Errorf("%s has no link to a night", uid)
		}
	}
}

// A statement that reads the hour of a day reads the wearer's clock.
func TestHoursAreThoseOfTheWearer(t *testing.T) {
	files, err := filepath.Glob("sql/*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no statements: %v", err)
	}
	hours := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "local_hour(") {
			t.Errorf("%s reads the hour by the clock of the data source", file)
		}
		if strings.Contains(string(content), "wall_hour(") {
			hours++
		}
	}
	if hours < 3 {
		t.Errorf("only %d statements read hours", hours)
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
