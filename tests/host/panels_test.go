package host

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// drawn is the part of a panel that decides how Grafana draws the fields of its queries.
type drawn struct {
	Dashboard   string
	Title, Type string
	Targets     []json.RawMessage
	Options     options
	FieldConfig fieldConfig
}

type options struct {
	XField        string
	ReduceOptions reduceOptions
}

type reduceOptions struct{ Fields string }

type fieldConfig struct {
	Defaults  display
	Overrides []struct {
		Matcher struct {
			ID      string
			Options string
		}
		Properties []struct {
			ID    string
			Value any
		}
	}
}

// display has the options of a field.
type display struct {
	Unit        string
	DisplayName string
	Min, Max    *float64
	Axis        string
}

// drawnPanels returns the panels of all dashboards.
func drawnPanels(t *testing.T) []*drawn {
	t.Helper()
	files, err := filepath.Glob("../../provisioning/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	var all []*drawn
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard struct{ Panels []*drawn }
		if err := json.Unmarshal(content, &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, panel := range dashboard.Panels {
			panel.Dashboard = strings.TrimSuffix(filepath.Base(file), ".json")
			all = append(all, panel)
		}
	}
	return all
}

func (d *drawn) String() string { return d.Dashboard + ", " + d.Title }

// displayOf returns the options of a field in the panel, as Grafana does: overrides come first,
// then the field's own options, then the defaults of the panel. It counts the overrides by name
// that concern a field.
func (d *drawn) displayOf(refID string, field *data.Field, used map[string]bool) display {
	found := display{DisplayName: field.Name}
	if config := field.Config; config != nil {
		found.Unit = config.Unit
		for _, name := range []string{config.DisplayName, config.DisplayNameFromDS} {
			if name != "" {
				found.DisplayName = name
			}
		}
	}
	if len(field.Labels) == 1 {
		for _, value := range field.Labels {
			found.DisplayName = value
		}
	}
	if found.Unit == "" {
		found.Unit = d.FieldConfig.Defaults.Unit
	}
	found.Min, found.Max = d.FieldConfig.Defaults.Min, d.FieldConfig.Defaults.Max
	shown := found.DisplayName
	for _, override := range d.FieldConfig.Overrides {
		name := override.Matcher.Options
		switch override.Matcher.ID {
		case "byName":
			if name != field.Name && name != shown {
				continue
			}
			used[name] = true
		case "byFrameRefID":
			if name != refID {
				continue
			}
			used[name] = true
		}
		for _, property := range override.Properties {
			text, _ := property.Value.(string)
			switch property.ID {
			case "unit":
				found.Unit = text
			case "displayName":
				found.DisplayName = text
			case "custom.axisPlacement":
				found.Axis = text
			}
		}
	}
	return found
}

// bounds are the values that a person can have, by unit. They are wide: a wrong unit is wrong by a
// factor.
var bounds = map[string][2]float64{
	"suffix:bpm": {20, 230}, "suffix:ms": {0, 300}, "suffix:/min": {5, 40},
	"percent": {-100, 400}, "suffix:h": {-60, 744}, "celsius": {-5, 5},
	"suffix:min": {-720, 5000}, "dthms": {-12 * 3600, 3660 * 86400}, "suffix:σ": {-60, 60},
	"suffix:kcal": {0, 10_000}, "suffix:MET·min": {-3000, 60_000}, "locale": {0, 1e9},
}

// differences are fields with the unit of a value, but with its difference.
var differences = map[string]bool{
	"HRV difference": true, "Swing": true, "Heart rate change": true, "HRV change": true,
}

// canBeUnused are overrides for fields that only some persons or ranges have.
var canBeUnused = map[string]bool{"Three years before": true, "Two years before": true, "A year before": true}

// framesOf sends the queries of a panel, and returns the frames with rows by query.
func (d *drawn) framesOf(t *testing.T, p *Plugin, source Datasource, over span) map[string]data.Frames {
	t.Helper()
	// An earlier range to compare with adds fields.
	values := maps.Clone(defaults)
	values["compare"] = "28"
	interval := max(over.to.Sub(over.from)/1000, time.Minute).Truncate(time.Minute)
	request := make([]*pluginv2.DataQuery, 0, len(d.Targets))
	for place, target := range d.Targets {
		request = append(request, &pluginv2.DataQuery{
			RefId: string(rune('A' + place)), MaxDataPoints: 1000, IntervalMS: interval.Milliseconds(),
			TimeRange: &pluginv2.TimeRange{
				FromEpochMS: over.from.UnixMilli(), ToEpochMS: over.to.UnixMilli(),
			},
			Json: withValues(target, values),
		})
	}
	found := make(map[string]data.Frames)
	for refID, response := range p.query(t, source, request...) {
		if response.GetError() != "" {
			t.Errorf("%s over %s: %d %s", d, over.name, response.Status, response.Error)
			continue
		}
		for _, frame := range decode(t, response) {
			if frame.Rows() > 0 {
				found[refID] = append(found[refID], frame)
			}
		}
	}
	return found
}

// problems lists fields that Grafana cannot draw, or draws misleadingly. It marks the overrides that
// concern a field.
func (d *drawn) problems(found map[string]data.Frames, used map[string]bool) []string {
	var all, names []string
	axes := make(map[string]map[string]bool)
	for refID, frames := range found {
		for _, frame := range frames {
			all = append(all, d.missing(frame)...)
			for _, field := range frame.Fields {
				shown := d.displayOf(refID, field, used)
				names = append(names, shown.DisplayName)
				if !field.Type().Numeric() {
					continue
				}
				all = append(all, d.outside(field, shown)...)
				if axes[shown.Axis] == nil {
					axes[shown.Axis] = make(map[string]bool)
				}
				axes[shown.Axis][shown.Unit] = true
			}
		}
	}
	for axis, units := range axes {
		isChart := d.Type == "timeseries" || d.Type == "candlestick"
		if isChart && axis != "hidden" && len(units) > 1 {
			all = append(all, fmt.Sprintf("units %v on the %s axis", slices.Sorted(maps.Keys(units)), axis))
		}
	}
	if chosen := d.Options.ReduceOptions.Fields; d.Type == "stat" && len(found) > 0 && chosen != "" {
		for name := range strings.SplitSeq(strings.Trim(chosen, "/^()$"), "|") {
			if name != ".*" && !slices.Contains(names, name) {
				all = append(all, fmt.Sprintf("no field %q among %v", name, names))
			}
		}
	}
	return all
}

// missing lists the fields that the kind of panel needs and a frame lacks.
func (d *drawn) missing(frame *data.Frame) []string {
	isNumber := func(field *data.Field) bool { return field.Type().Numeric() }
	isTime := func(field *data.Field) bool {
		// A transformation makes milliseconds a time.
		return field.Type().Time() || field.Name == "milliseconds"
	}
	isState := func(field *data.Field) bool { return !isTime(field) }
	named := func(name string) func(field *data.Field) bool {
		return func(field *data.Field) bool { return field.Name == name }
	}
	needs := map[string][]func(field *data.Field) bool{
		"timeseries": {isTime, isNumber}, "state-timeline": {isTime, isState},
		"status-history": {isTime, isState},
		"candlestick":    {isTime, named("open"), named("high"), named("low"), named("close")},
		"heatmap":        {isNumber}, "stat": {}, "table": {}, "bargauge": {isNumber},
		"trend":    {named(d.Options.XField), named("lines"), isTime},
		"barchart": {named(d.Options.XField), isNumber},
	}
	wanted, isKnown := needs[d.Type]
	if !isKnown {
		return []string{"no rule for the kind " + d.Type}
	}
	var all []string
	for place, one := range wanted {
		if !slices.ContainsFunc(frame.Fields, one) {
			all = append(all, fmt.Sprintf("field %d of a %s is not among %v", place, d.Type, names(frame)))
		}
	}
	// A panel of this kind refuses more values than half of its width in pixels.
	if d.Type == "status-history" && frame.Rows() > 370 {
		all = append(all, fmt.Sprintf("%d values in a row", frame.Rows()))
	}
	if x, _ := frame.FieldByName(d.Options.XField); d.Type == "trend" && x != nil && !rises(x) {
		all = append(all, d.Options.XField+" does not rise")
	}
	return all
}

func rises(field *data.Field) bool {
	last := math.Inf(-1)
	for row := range field.Len() {
		value, err := field.NullableFloatAt(row)
		if err != nil || value == nil || *value < last {
			return false
		}
		last = *value
	}
	return true
}

// outside lists the first value that is not plausible, or that the panel's axis cuts off.
func (d *drawn) outside(field *data.Field, shown display) []string {
	least, most := math.Inf(-1), math.Inf(1)
	if bound, isKnown := bounds[shown.Unit]; isKnown {
		least, most = bound[0], bound[1]
		if differences[shown.DisplayName] {
			least = -most
		}
	}
	if shown.Min != nil && d.Type == "timeseries" {
		least = max(least, *shown.Min)
	}
	if shown.Max != nil && d.Type == "timeseries" {
		most = min(most, *shown.Max)
	}
	for row := range field.Len() {
		value, err := field.NullableFloatAt(row)
		if err != nil || value != nil && (math.IsNaN(*value) || *value < least || *value > most) {
			at, _ := field.ConcreteAt(row)
			return []string{fmt.Sprintf("%s has %v with the unit %q", shown.DisplayName, at, shown.Unit)}
		}
	}
	return nil
}

// lengths are ranges that end now.
func lengths(now time.Time) []span {
	return []span{
		{"a day", now.AddDate(0, 0, -1), now},
		{"30 days", now.AddDate(0, 0, -30), now},
		{"a year", now.AddDate(-1, 0, 0), now},
		{"ten years", now.AddDate(-10, 0, 0), now},
	}
}

// checkPanels checks all panels in ranges of a day to ten years. Overrides for fields that no
// response has are mistakes, if the person has all data.
func checkPanels(t *testing.T, p *Plugin, source Datasource, now time.Time, hasAllData bool) {
	t.Helper()
	for _, panel := range drawnPanels(t) {
		used, rows := make(map[string]bool), 0
		for _, over := range lengths(now) {
			found := panel.framesOf(t, p, source, over)
			rows += len(found)
			for _, problem := range panel.problems(found, used) {
				t.Errorf("%s over %s: %s", panel, over.name, problem)
			}
		}
		// The lines of a trend become fields in the browser.
		if !hasAllData || rows == 0 || panel.Type == "trend" {
			continue
		}
		for _, override := range panel.FieldConfig.Overrides {
			name := override.Matcher.Options
			if override.Matcher.ID == "byName" && !used[name] && !canBeUnused[name] {
				t.Errorf("%s has no field %q", panel, name)
			}
		}
	}
}

func TestPanelsHaveWhatTheirKindNeeds(t *testing.T) {
	checkPanels(t, theWorld(t).plugin, oura, time.Now(), true)
}

func TestPanelsOfThreeDaysHaveWhatTheirKindNeeds(t *testing.T) {
	_, _, p := connected(t, 3)
	if err := awaitHistory(p, oura); err != nil {
		t.Fatal(err)
	}
	checkPanels(t, p, oura, time.Now(), false)
}

// The checks of panels find each kind of mistake.
func TestMistakesOfPanelsAreFound(t *testing.T) {
	now := []time.Time{time.Unix(0, 0), time.Unix(60, 0)}
	series := func(fields ...*data.Field) map[string]data.Frames {
		fields = append([]*data.Field{data.NewField("time", nil, now)}, fields...)
		return map[string]data.Frames{"A": {data.NewFrame("", fields...)}}
	}
	field := func(name, unit string, values ...float64) *data.Field {
		return data.NewField(name, nil, values).SetConfig(&data.FieldConfig{Unit: unit})
	}
	most := 100.0
	for _, c := range []struct {
		name, problem string
		panel         drawn
		found         map[string]data.Frames
	}{
		{"nothing", "", drawn{Type: "timeseries"}, series(field("pulse", "suffix:bpm", 50, 60))},
		{"a wrong unit", "pulse has 0.5", drawn{Type: "timeseries"}, series(field("pulse", "suffix:bpm", 0.5, 60))},
		{
			"two units on one axis", "units [suffix:bpm suffix:ms]", drawn{Type: "timeseries"},
			series(field("pulse", "suffix:bpm", 50, 60), field("hrv", "suffix:ms", 50, 60)),
		},
		{"a series without numbers", "field 1 of a timeseries", drawn{Type: "timeseries"}, series()},
		{"a candle without a wick", "field 2 of a candlestick", drawn{Type: "candlestick"},
			series(field("open", "", 1, 1), field("low", "", 1, 1), field("close", "", 1, 1))},
		{"a value above the axis", "score has 110", drawn{Type: "timeseries", FieldConfig: fieldConfig{
			Defaults: display{Max: &most},
		}}, series(field("score", "", 50, 110))},
		{"a falling x", "x does not rise", drawn{Type: "trend", Options: options{XField: "x"}},
			series(field("x", "", 2, 1), field("lines", "", 0, 0))},
		{"a number without a field", `no field "Steps"`, drawn{Type: "stat", Options: options{
			ReduceOptions: reduceOptions{Fields: "/^(Steps|Goal)$/"},
		}}, series(field("Goal", "", 1, 2))},
	} {
		all := strings.Join(c.panel.problems(c.found, map[string]bool{}), "; ")
		if (c.problem == "") != (all == "") || !strings.Contains(all, c.problem) {
			t.Errorf("%s: %q instead of %q", c.name, all, c.problem)
		}
	}
}
