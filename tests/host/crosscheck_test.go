package host

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// documents returns the stored responses of a collection as Oura sent them.
func (w *world) documents(t *testing.T, collection string) []object {
	t.Helper()
	text := `SELECT payload FROM oura_raw_documents
		WHERE resource = '` + collection + `' AND deleted_at IS NULL`
	frame := decode(t, w.plugin.query(t, oura, sql("A", "table", text))["A"])[0]
	var all []object
	for row := range frame.Rows() {
		payload, isText := frame.Fields[0].ConcreteAt(row)
		var document object
		if err := json.Unmarshal([]byte(fmt.Sprint(payload)), &document); err != nil || !isText {
			t.Fatal(err)
		}
		all = append(all, document)
	}
	return all
}

// panel returns the first frame of a panel's query over all days.
func (w *world) panel(t *testing.T, dashboard, query string) *data.Frame {
	t.Helper()
	target, isThere := queriesByName(t)[dashboard][query]
	if !isThere {
		t.Fatalf("%s has no %q", dashboard, query)
	}
	response := w.plugin.query(t, oura, overEverything("A", withValues(target, defaults)))["A"]
	return decode(t, response)[0]
}

// column returns the values of a column as text by the values of the key column.
func column(t *testing.T, frame *data.Frame, key, name string) map[string]float64 {
	t.Helper()
	keys, _ := frame.FieldByName(key)
	values, _ := frame.FieldByName(name)
	if keys == nil || values == nil {
		t.Fatalf("no %s and %s among %v", key, name, names(frame))
	}
	found := make(map[string]float64)
	for row := range frame.Rows() {
		one, isThere := keys.ConcreteAt(row)
		value, err := values.FloatAt(row)
		if isThere && err == nil && !math.IsNaN(value) {
			found[fmt.Sprint(one)] = value
		}
	}
	return found
}

func number(document object, name string) float64 {
	value, _ := document[name].(float64)
	return value
}

func text(document object, name string) string {
	value, _ := document[name].(string)
	return value
}

// instant reads a time with its offset, in milliseconds.
func instant(t *testing.T, document object, name string) int64 {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, text(document, name))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.UnixMilli()
}

// midnight is the start of a day in UTC, the zone of the data source, in milliseconds.
func midnight(t *testing.T, day string) int64 {
	t.Helper()
	parsed, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.UnixMilli()
}

// mainSleeps returns the longest long sleep of each day. Without one, the longest other period
// counts, unless it is rest or deleted.
func (w *world) mainSleeps(t *testing.T) map[string]object {
	t.Helper()
	longest := make(map[string]object)
	for _, one := range w.documents(t, "sleep") {
		day := text(one, "day")
		if kind := text(one, "type"); kind == "rest" || kind == "deleted" {
			continue
		}
		if best := longest[day]; best == nil || sleepRank(one) > sleepRank(best) {
			longest[day] = one
		}
	}
	return longest
}

// sleepRank is higher for periods that come first as the main sleep of a day.
func sleepRank(period object) float64 {
	rank := number(period, "total_sleep_duration")
	if text(period, "type") == "long_sleep" {
		rank += 7 * 86400
	}
	return rank
}

// agree compares the numbers of a panel with those of the documents, for the keys of the panel.
func agree(t *testing.T, name string, panel, expected map[string]float64, least int) {
	t.Helper()
	if len(panel) < least {
		t.Errorf("%s has %d values only", name, len(panel))
	}
	for key, value := range panel {
		wanted, isThere := expected[key]
		if !isThere || math.Abs(value-wanted) > 1e-9*math.Max(1, math.Abs(wanted)) {
			t.Errorf("%s, %s: %v instead of %v", name, key, value, wanted)
		}
	}
}

func TestNightsAgreeWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	frame := w.panel(t, "oura-sleep", "Nights 0")
	for name, field := range map[string]string{
		"Asleep": "total_sleep_duration", "Deep": "deep_sleep_duration", "REM": "rem_sleep_duration",
		"HRV": "average_hrv", "Lowest heart rate": "lowest_heart_rate", "Efficiency": "efficiency",
	} {
		expected := make(map[string]float64)
		for day, night := range w.mainSleeps(t) {
			expected[day] = number(night, field)
		}
		agree(t, name, column(t, frame, "Night", name), expected, days-20)
	}
}

func TestMonthsAgreeWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	sums, counts := make(map[string]float64), make(map[string]float64)
	// The first day of the range may have begun before the range.
	first := overEverything("A", nil).TimeRange.FromEpochMS
	for day, night := range w.mainSleeps(t) {
		if midnight(t, day) >= first {
			sums[day[:7]] += number(night, "total_sleep_duration")
			counts[day[:7]]++
		}
	}
	for month := range sums {
		sums[month] /= counts[month]
	}
	frame := w.panel(t, "oura-insights", "Months 0")
	agree(t, "nights", column(t, frame, "Month", "Nights"), counts, 3)
	agree(t, "time asleep", column(t, frame, "Month", "Asleep"), sums, 3)
}

func TestTagsAgreeWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	seen := make(map[string]map[string]bool)
	for _, tag := range w.documents(t, "enhanced_tag") {
		name := text(tag, "custom_name")
		if name == "" {
			name = strings.TrimPrefix(strings.TrimPrefix(text(tag, "tag_type_code"), "tag_generic_"), "tag_")
			name = strings.ReplaceAll(name, "_", " ")
		}
		if seen[name] == nil {
			seen[name] = make(map[string]bool)
		}
		seen[name][text(tag, "start_day")] = true
	}
	expected := make(map[string]float64)
	for name, days := range seen {
		expected[name] = float64(len(days))
	}
	agree(t, "tags", column(t, w.panel(t, "oura-insights", "Tags given 0"), "Tag", "Days"), expected, 3)
}

func TestStressfulDaysAgreeWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	expected := make(map[string]float64)
	for _, stress := range w.documents(t, "daily_stress") {
		expected[text(stress, "day_summary")]++
	}
	agree(t, "days", column(t, w.panel(t, "oura-stress", "Days by kind 0"), "Day", "Days"), expected, 2)
}

func TestLatestWorkoutsAgreeWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	workouts := w.documents(t, "workout")
	sort.Slice(workouts, func(one, other int) bool {
		return instant(t, workouts[one], "start_datetime") > instant(t, workouts[other], "start_datetime")
	})
	frame := w.panel(t, "oura-overview", "Latest workouts 0")
	durations, _ := frame.FieldByName("Duration")
	if frame.Rows() != 20 || durations == nil {
		t.Fatalf("%d rows, %v", frame.Rows(), names(frame))
	}
	for row := range frame.Rows() {
		found, _ := durations.FloatAt(row)
		wanted := instant(t, workouts[row], "end_datetime") - instant(t, workouts[row], "start_datetime")
		if found != float64(wanted/1000) {
			t.Errorf("workout %d took %v s instead of %d", row, found, wanted/1000)
		}
	}
}
