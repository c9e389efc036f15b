package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// shipped is the part of a dashboard file with queries.
type shipped struct {
	Panels      []panel `json:"panels"`
	Annotations struct {
		List []struct {
			Name   string          `json:"name"`
			Target json.RawMessage `json:"target"`
		} `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []struct {
			variable
			Type  string          `json:"type"`
			Query json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// queriesByName returns the queries of panels, annotations and variables of all dashboards, by
// dashboard and name. Variables are not replaced.
func queriesByName(tb testing.TB) map[string]map[string]json.RawMessage {
	tb.Helper()
	files, err := filepath.Glob("../../provisioning/dashboards/*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no dashboards: %v", err)
	}
	all := make(map[string]map[string]json.RawMessage)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		var dashboard shipped
		if err := json.Unmarshal(content, &dashboard); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		queries := make(map[string]json.RawMessage)
		for _, panel := range flat(dashboard.Panels) {
			for at, target := range panel.Targets {
				queries[fmt.Sprintf("%s %d", panel.Title, at)] = target
			}
		}
		for _, annotation := range dashboard.Annotations.List {
			if annotation.Target != nil {
				queries["annotation "+annotation.Name] = annotation.Target
			}
		}
		for _, one := range dashboard.Templating.List {
			if one.Type == "query" {
				queries["variable "+one.Name] = one.Query
			}
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = queries
	}
	return all
}

// defaults are the values of all variables when a dashboard opens.
var defaults = map[string]string{
	"every": "day", "score": "readiness_score", "outcome": "HRV", "cause": "Training",
	"tag": "alcohol", "compare": "0",
}

// withValues replaces variables as the frontend does for variables with a single value: it doubles
// quotes, and it does not send an invalid step (frontend/src/datasource.ts).
func withValues(target json.RawMessage, values map[string]string) json.RawMessage {
	text := string(target)
	for name, value := range values {
		quoted, _ := json.Marshal(strings.ReplaceAll(value, "'", "''"))
		inside := string(quoted[1 : len(quoted)-1])
		if name == "every" {
			text = strings.ReplaceAll(text, `"every":"$every"`, `"every":"`+stepOf(value)+`"`)
			text = strings.ReplaceAll(text, `"every": "$every"`, `"every": "`+stepOf(value)+`"`)
		}
		text = strings.ReplaceAll(text, "$"+name, inside)
	}
	return json.RawMessage(text)
}

func stepOf(value string) string {
	switch value {
	case "day", "week", "month":
		return value
	}
	return "auto"
}

// span is a time range with its name.
type span struct {
	name     string
	from, to time.Time
}

// spans has ranges that a time picker allows.
func spans(now time.Time) []span {
	day := 24 * time.Hour
	// The last change of the clocks in Europe: a Sunday at the end of October.
	change := time.Date(now.Year(), time.October, 31, 1, 0, 0, 0, time.UTC)
	if now.Before(change) {
		change = change.AddDate(-1, 0, 0)
	}
	change = change.AddDate(0, 0, -int(change.Weekday()))
	return []span{
		{"a month", now.Add(-30 * day), now},
		{"a year", now.AddDate(-1, 0, 0), now},
		{"before the first day", now.AddDate(-10, 0, -7), now.AddDate(-10, 0, 0)},
		{"no length", now.Add(-9 * day), now.Add(-9 * day)},
		{"thirty years", now.AddDate(-30, 0, 0), now},
		{"the future", now.AddDate(1, 0, 0), now.AddDate(1, 1, 0)},
		{"a change of the clocks", change.Add(-3 * day), change.Add(4 * day)},
	}
}

// checkCalm sends all queries of all dashboards. Each must return frames, empty or not.
func checkCalm(t *testing.T, p *Plugin, source Datasource, over span, values map[string]string) {
	t.Helper()
	interval := max(over.to.Sub(over.from)/1000, time.Minute).Truncate(time.Minute)
	for dashboard, queries := range queriesByName(t) {
		request := &pluginv2.QueryDataRequest{PluginContext: source.context()}
		for name, target := range queries {
			request.Queries = append(request.Queries, &pluginv2.DataQuery{
				RefId: name, MaxDataPoints: 1000, IntervalMS: interval.Milliseconds(),
				TimeRange: &pluginv2.TimeRange{
					FromEpochMS: over.from.UnixMilli(), ToEpochMS: over.to.UnixMilli(),
				},
				Json: withValues(target, values),
			})
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		answer, err := p.data.QueryData(ctx, request)
		cancel()
		if err != nil {
			t.Fatalf("%s over %s: %v", dashboard, over.name, err)
		}
		for name, response := range answer.Responses {
			if response.GetError() != "" || len(response.GetFrames()) == 0 {
				t.Errorf("%s, %s over %s: %d %s", dashboard, name, over.name, response.Status, response.Error)
			}
		}
		for _, title := range blankPanels(t, answer.Responses) {
			t.Errorf("%s, %s over %s: rows without a value, so the panel shows no words", dashboard, title, over.name)
		}
	}
}

// blankPanels lists the panels with rows but without any value. Grafana draws them without the words
// for a panel without data.
func blankPanels(t *testing.T, responses map[string]*pluginv2.DataResponse) []string {
	t.Helper()
	hasRows, hasValue := make(map[string]bool), make(map[string]bool)
	for name, response := range responses {
		title := name[:strings.LastIndex(name, " ")]
		for _, frame := range decode(t, response) {
			for _, field := range frame.Fields {
				hasRows[title] = hasRows[title] || field.Len() > 0
				if field.Type().Time() {
					continue
				}
				for row := range field.Len() {
					_, isSet := field.ConcreteAt(row)
					hasValue[title] = hasValue[title] || isSet
				}
			}
		}
	}
	var blank []string
	for title := range hasRows {
		if hasRows[title] && !hasValue[title] {
			blank = append(blank, title)
		}
	}
	return blank
}

func TestDashboardsAreCalmInEveryRange(t *testing.T) {
	w := theWorld(t)
	for _, over := range spans(time.Now()) {
		checkCalm(t, w.plugin, oura, over, defaults)
	}
}

// A URL can set a variable to any text.
func TestDashboardsAreCalmForEveryValueOfAVariable(t *testing.T) {
	w := theWorld(t)
	month := spans(time.Now())[0]
	for _, value := range []string{"it's \"", "", "no such metric", "-1"} {
		values := make(map[string]string)
		for name := range defaults {
			values[name] = value
		}
		checkCalm(t, w.plugin, oura, month, values)
	}
	for _, values := range []map[string]string{
		{"every": "week", "compare": "28", "score": "sleep_score"},
		{"every": "month", "compare": "364", "score": "activity_score"},
	} {
		for name, value := range defaults {
			if _, isSet := values[name]; !isSet {
				values[name] = value
			}
		}
		checkCalm(t, w.plugin, oura, month, values)
	}
}

func TestDashboardsAreCalmWithLittleData(t *testing.T) {
	nothing := func(time.Time, time.Time) []object { return []object{} }
	for _, c := range []struct {
		name, zone string
		days       int
		oura       *handmade
	}{
		{"a ring of three days, in a zone with half hours", "Asia/Kolkata", 3, &handmade{}},
		{"no night, in a zone ahead of UTC by a day", "Pacific/Kiritimati", 20, &handmade{
			collections: map[string]func(from, to time.Time) []object{
				"sleep": nothing, "daily_sleep": nothing, "daily_readiness": nothing, "sleep_time": nothing,
			},
		}},
		{"no tag, workout, session and battery", "Europe/Vienna", 40, &handmade{
			collections: map[string]func(from, to time.Time) []object{
				"enhanced_tag": nothing, "tag": nothing, "workout": nothing, "session": nothing,
				"ring_battery_level": nothing, "rest_mode_period": nothing, "ring_configuration": nothing,
			},
			refused: map[string]bool{
				"daily_spo2": true, "vO2_max": true, "daily_cardiovascular_age": true,
				"daily_resilience": true, "personal_info": true,
			},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := Datasource{Org: 1, UID: oura.UID, Role: "Admin", Zone: c.zone}
			p := launch(t, t.TempDir(), c.oura.serve(t, c.days))
			checkCalm(t, p, source, spans(time.Now())[0], defaults)
			if err := connect(p, source); err != nil {
				t.Fatal(err)
			}
			if err := awaitHistory(p, source); err != nil {
				t.Fatal(err)
			}
			for _, over := range spans(time.Now()) {
				checkCalm(t, p, source, over, defaults)
			}
		})
	}
}
