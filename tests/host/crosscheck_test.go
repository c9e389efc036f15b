package host

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// mainSleeps returns the longest long sleep of each day. Without one, the longest other period of an
// hour counts, unless it is rest or deleted.
func (w *world) mainSleeps(t *testing.T) map[string]object {
	t.Helper()
	longest := make(map[string]object)
	for _, one := range w.documents(t, "sleep") {
		day, kind := text(one, "day"), text(one, "type")
		isNap := kind != "long_sleep" && number(one, "total_sleep_duration") < 3600
		if isNap || kind == "rest" || kind == "deleted" {
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

// firstDay is the first whole day of the range of overEverything.
func firstDay() string {
	return time.UnixMilli(overEverything("A", nil).TimeRange.FromEpochMS).UTC().AddDate(0, 0, 1).
		Format(time.DateOnly)
}

// newest returns the document with the last day.
func newest(documents []object) object {
	return slices.MaxFunc(documents, func(one, other object) int {
		return strings.Compare(text(one, "day"), text(other, "day"))
	})
}

// byTime returns the values of a field by the day of the time column, for days after firstDay.
func byTime(t *testing.T, frame *data.Frame, name string) map[string]float64 {
	t.Helper()
	values, _ := frame.FieldByName(name)
	if values == nil {
		t.Fatalf("no %s among %v", name, names(frame))
	}
	found := make(map[string]float64)
	for row := range frame.Rows() {
		at, isTime := frame.Fields[0].ConcreteAt(row)
		value, err := values.FloatAt(row)
		if !isTime || err != nil || math.IsNaN(value) {
			continue
		}
		if day := at.(time.Time).UTC().Format(time.DateOnly); day >= firstDay() {
			found[day] = value
		}
	}
	return found
}

// byDay returns a number of each document by its day.
func byDay(documents []object, value func(object) float64) map[string]float64 {
	found := make(map[string]float64)
	for _, one := range documents {
		found[text(one, "day")] = value(one)
	}
	return found
}

// field returns a function that reads a number.
func field(name string, factor float64) func(object) float64 {
	return func(document object) float64 { return number(document, name) * factor }
}

// only returns the single row of a panel, by column.
func only(t *testing.T, frame *data.Frame) map[string]float64 {
	t.Helper()
	if frame.Rows() != 1 {
		t.Fatalf("%d rows of %v", frame.Rows(), names(frame))
	}
	found := make(map[string]float64)
	for _, field := range frame.Fields {
		if value, err := field.FloatAt(0); err == nil {
			found[field.Name] = value
		}
	}
	return found
}

// same compares some columns of a single row.
func same(t *testing.T, name string, row, expected map[string]float64) {
	t.Helper()
	panel := make(map[string]float64)
	for column := range expected {
		panel[column] = row[column]
	}
	agree(t, name, panel, expected, len(expected))
}

func TestTodayAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	activity := newest(w.documents(t, "daily_activity"))
	same(t, "the day so far", only(t, w.panel(t, "oura-today", "Day so far 0")), map[string]float64{
		"Steps": number(activity, "steps"),
		"Goal":  100 * number(activity, "active_calories") / number(activity, "target_calories"),
		"Brisk": number(activity, "high_activity_time") + number(activity, "medium_activity_time"),
	})
	stress := newest(w.documents(t, "daily_stress"))
	same(t, "stress", only(t, w.panel(t, "oura-today", "Stress so far 0")), map[string]float64{
		"High stress": number(stress, "stress_high"), "High recovery": number(stress, "recovery_high"),
	})
	contributors, _ := newest(w.documents(t, "daily_readiness"))["contributors"].(object)
	expected := make(map[string]float64)
	for title, name := range map[string]string{
		"Recovery index": "recovery_index", "Resting heart rate": "resting_heart_rate",
		"HRV balance": "hrv_balance", "Body temperature": "body_temperature",
		"Previous night": "previous_night", "Sleep balance": "sleep_balance",
		"Sleep regularity": "sleep_regularity", "Previous day": "previous_day_activity",
		"Activity balance": "activity_balance",
	} {
		expected[title] = number(contributors, name)
	}
	panel := column(t, w.panel(t, "oura-today", "Readiness 0"), "Contributor", "Score")
	agree(t, "contributors of readiness", panel, expected, 7)
}

// newestNight is the main sleep of the last day, and those of the 28 days before it.
func (w *world) newestNight(t *testing.T) (night object, before []object) {
	t.Helper()
	sleeps := w.mainSleeps(t)
	days := slices.Sorted(maps.Keys(sleeps))
	last := days[len(days)-1]
	for _, day := range days[:len(days)-1] {
		if midnight(t, last)-midnight(t, day) <= 28*86_400_000 {
			before = append(before, sleeps[day])
		}
	}
	return sleeps[last], before
}

func middleOf(values []float64) float64 {
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

func TestNightAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	night, before := w.newestNight(t)
	same(t, "the night", only(t, w.panel(t, "oura-night", "Sleep 0")), map[string]float64{
		"Asleep": number(night, "total_sleep_duration"), "Efficiency": number(night, "efficiency"),
		"To fall asleep": number(night, "latency"), "HRV": number(night, "average_hrv"),
		"Lowest heart rate": number(night, "lowest_heart_rate"), "Breathing": number(night, "average_breath"),
	})

	stages, usual := make(map[string]float64), make(map[string]float64)
	for stage, name := range map[string]string{
		"Deep": "deep_sleep_duration", "REM": "rem_sleep_duration",
		"Light": "light_sleep_duration", "Awake": "awake_time",
	} {
		stages[stage] = number(night, name)
		var past []float64
		for _, one := range before {
			past = append(past, number(one, name))
		}
		usual[stage] = middleOf(past)
	}
	frame := w.panel(t, "oura-night", "Stages in sum 0")
	agree(t, "stages", column(t, frame, "Stage", "This night"), stages, 4)
	agree(t, "usual stages", column(t, frame, "Stage", "Usual"), usual, 4)

	movement := w.panel(t, "oura-night", "Movement 0")
	digits := text(night, "movement_30_sec")
	values, _ := movement.FieldByName("Movement")
	if values == nil || movement.Rows() != len(digits) || len(digits) < 100 {
		t.Fatalf("%d rows of %v for %d half minutes", movement.Rows(), names(movement), len(digits))
	}
	for row, digit := range []byte(digits) {
		if found, err := values.FloatAt(row); err != nil || found != float64(digit-'0') {
			t.Fatalf("half minute %d: %v instead of %c", row, found, digit)
		}
	}
}

func TestOverviewAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	days := w.panel(t, "oura-overview", "Days 0")
	for name, collection := range map[string]string{
		"Sleep": "daily_sleep", "Readiness": "daily_readiness", "Activity": "daily_activity",
	} {
		expected := make(map[string]float64)
		for day, score := range byDay(w.documents(t, collection), field("score", 1)) {
			expected[fmt.Sprint(midnight(t, day))] = score
		}
		agree(t, name+" of days", column(t, days, "milliseconds", name), expected, 60)
	}

	sums, counts := make(map[string]float64), make(map[string]float64)
	for _, one := range w.documents(t, "daily_activity") {
		monday := weekOf(t, text(one, "day"))
		sums[monday] += number(one, "steps")
		counts[monday]++
	}
	for monday := range sums {
		sums[monday] /= counts[monday]
		if monday < firstDay() {
			delete(sums, monday)
		}
	}
	weeks := column(t, w.panel(t, "oura-overview", "Weeks 0"), "Week", "Steps")
	for monday := range weeks {
		if monday < firstDay() {
			delete(weeks, monday)
		}
	}
	agree(t, "steps of weeks", weeks, sums, 10)
}

// weekOf is the Monday of a day's week.
func weekOf(t *testing.T, day string) string {
	t.Helper()
	at := time.UnixMilli(midnight(t, day)).UTC()
	return at.AddDate(0, 0, -(int(at.Weekday())+6)%7).Format(time.DateOnly)
}

func TestSleepAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	stages := w.panel(t, "oura-sleep", "Sleep stages 0")
	sleeps := slices.Collect(maps.Values(w.mainSleeps(t)))
	for name, source := range map[string]string{
		"Deep": "deep_sleep_duration", "REM": "rem_sleep_duration", "Light": "light_sleep_duration",
		"Awake": "awake_time",
	} {
		agree(t, name, byTime(t, stages, name), byDay(sleeps, field(source, 1.0/3600)), 60)
	}

	first := overEverything("A", nil).TimeRange.FromEpochMS
	var asleep, latency, count float64
	for day, night := range w.mainSleeps(t) {
		if midnight(t, day) >= first {
			asleep += number(night, "total_sleep_duration")
			latency += number(night, "latency")
			count++
		}
	}
	same(t, "averages", only(t, w.panel(t, "oura-sleep", "Averages 0")), map[string]float64{
		"Asleep": asleep / count, "To fall asleep": latency / count, "Nights": count,
	})
}

func TestHeartAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	sleeps := w.mainSleeps(t)
	hrv := w.panel(t, "oura-heart", "HRV at night 0")
	values, usual, lower := make(map[string]float64), make(map[string]float64), make(map[string]float64)
	for day, night := range sleeps {
		// Short periods have no HRV.
		if night["average_hrv"] == nil {
			continue
		}
		values[day] = number(night, "average_hrv")
		var past, distances []float64
		for other, one := range sleeps {
			if one["average_hrv"] == nil {
				continue
			}
			if apart := midnight(t, day) - midnight(t, other); apart > 0 && apart <= 60*86_400_000 {
				past = append(past, number(one, "average_hrv"))
			}
		}
		if len(past) < 14 {
			continue
		}
		usual[day] = middleOf(past)
		for _, one := range past {
			distances = append(distances, math.Abs(one-usual[day]))
		}
		lower[day] = usual[day] - max(1, 1.4826*middleOf(distances))
	}
	agree(t, "HRV", byTime(t, hrv, "HRV"), values, 60)
	agree(t, "usual HRV", byTime(t, hrv, "Usual"), usual, 50)
	agree(t, "lower edge of HRV", byTime(t, hrv, "Lower"), lower, 50)

	ages := w.panel(t, "oura-heart", "Cardiovascular age 0")
	vascular := byDay(w.documents(t, "daily_cardiovascular_age"), field("vascular_age", 1))
	agree(t, "cardiovascular age", byTime(t, ages, "days.vascular_age"), vascular, 30)

	lowest := make(map[string]float64)
	for day, night := range sleeps {
		beats, _ := night["heart_rate"].(object)
		items, _ := beats["items"].([]any)
		start, end := instant(t, night, "bedtime_start"), instant(t, night, "bedtime_end")
		least := math.Inf(1)
		for place, item := range items {
			rate, isNumber := item.(float64)
			at := instant(t, beats, "timestamp") + int64(float64(place)*number(beats, "interval")*1000)
			if isNumber && rate < least && at >= start && at <= end {
				least = rate
				lowest[day] = 100 * float64(at-start) / float64(end-start)
			}
		}
	}
	panel := byTime(t, w.panel(t, "oura-heart", "When the heart rate is lowest 0"), "Lowest after")
	agree(t, "the lowest heart rate", panel, lowest, 60)
}

func TestActivityAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	activities := w.documents(t, "daily_activity")
	intensity := w.panel(t, "oura-activity", "Intensity 0")
	for name, source := range map[string]string{
		"High": "high_activity_time", "Medium": "medium_activity_time", "Low": "low_activity_time",
	} {
		agree(t, name, byTime(t, intensity, name), byDay(activities, field(source, 1.0/3600)), 60)
	}

	energy := w.panel(t, "oura-activity", "Active energy 0")
	expected := byDay(activities, field("active_calories", 1))
	agree(t, "active energy", byTime(t, energy, "daily_activity.active_calories"), expected, 60)

	var steps, sitting, count float64
	first := time.UnixMilli(overEverything("A", nil).TimeRange.FromEpochMS).UTC().Format(time.DateOnly)
	for _, one := range activities {
		if text(one, "day") >= first {
			steps += number(one, "steps")
			sitting += number(one, "sedentary_time")
			count++
		}
	}
	same(t, "the range", only(t, w.panel(t, "oura-activity", "This range 0")), map[string]float64{
		"Steps": steps, "Steps a day": steps / count, "Days": count, "Sitting a day": sitting / count,
	})
}

func TestStressAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	stress := w.documents(t, "daily_stress")
	extremes := w.panel(t, "oura-stress", "Stress and recovery 0")
	agree(t, "stress", byTime(t, extremes, "High stress"), byDay(stress, field("stress_high", 1.0/3600)), 60)
	agree(t, "recovery", byTime(t, extremes, "High recovery"), byDay(stress, field("recovery_high", 1.0/3600)), 60)

	sums, counts := make(map[string]float64), make(map[string]float64)
	first := time.UnixMilli(overEverything("A", nil).TimeRange.FromEpochMS).UTC().Format(time.DateOnly)
	for _, one := range stress {
		if text(one, "day") >= first {
			weekday := time.UnixMilli(midnight(t, text(one, "day"))).UTC().Format("Mon")
			sums[weekday] += number(one, "stress_high")
			counts[weekday]++
		}
	}
	for weekday := range sums {
		sums[weekday] /= counts[weekday]
	}
	weekdays := w.panel(t, "oura-stress", "Weekdays 0")
	agree(t, "stress of weekdays", column(t, weekdays, "Day", "High stress"), sums, 7)
	agree(t, "weekdays", column(t, weekdays, "Day", "Days"), counts, 7)
}

func TestRecordsAgreeWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	most := func(documents []object, name string) float64 {
		best := math.Inf(-1)
		for _, one := range documents {
			best = max(best, number(one, name))
		}
		return best
	}
	sleeps := slices.Collect(maps.Values(w.mainSleeps(t)))
	expected := map[string]string{
		"Highest HRV":      fmt.Sprintf("%.0f ms", most(sleeps, "average_hrv")),
		"Longest sleep":    fmt.Sprintf("%.1f h", most(sleeps, "total_sleep_duration")/3600),
		"Best sleep score": fmt.Sprintf("%.0f", most(w.documents(t, "daily_sleep"), "score")),
		"Best readiness":   fmt.Sprintf("%.0f", most(w.documents(t, "daily_readiness"), "score")),
	}
	frame := w.panel(t, "oura-insights", "Records 0")
	records, _ := frame.FieldByName("Record")
	values, _ := frame.FieldByName("Value")
	found := make(map[string]string)
	for row := range frame.Rows() {
		record, _ := records.ConcreteAt(row)
		value, _ := values.ConcreteAt(row)
		found[fmt.Sprint(record)] = fmt.Sprint(value)
	}
	for record, value := range expected {
		if found[record] != value {
			t.Errorf("%s: %q instead of %q", record, found[record], value)
		}
	}
}

func TestDataAgreesWithTheDocuments(t *testing.T) {
	w := theWorld(t)
	first := time.UnixMilli(overEverything("A", nil).TimeRange.FromEpochMS).UTC().Format(time.DateOnly)
	expected := make(map[string]float64)
	for _, name := range []string{"daily_sleep", "daily_readiness", "daily_activity", "daily_stress", "sleep"} {
		for _, one := range w.documents(t, name) {
			if text(one, "day") >= firstDay() {
				expected[name]++
			}
		}
	}
	documents := column(t, w.panel(t, "oura-data", "Collections 0"), "Collection", "Documents")
	for name := range documents {
		if _, isChecked := expected[name]; !isChecked {
			delete(documents, name)
		}
	}
	agree(t, "documents", documents, expected, 5)

	nights := 0.0
	for day := range w.mainSleeps(t) {
		if day >= first {
			nights++
		}
	}
	last := time.Now().UTC().Format(time.DateOnly)
	length := float64((midnight(t, last)-midnight(t, first))/86_400_000 + 1)
	same(t, "history", only(t, w.panel(t, "oura-data", "History 0")), map[string]float64{
		"Nights": 100 * nights / length,
	})

	rings := column(t, w.panel(t, "oura-data", "Rings 0"), "Firmware", "Size")
	sizes := make(map[string]float64)
	for _, one := range w.documents(t, "ring_configuration") {
		sizes[text(one, "firmware_version")] = number(one, "size")
	}
	agree(t, "rings", rings, sizes, 1)
}

func TestSyncStatusAgreesWithTheFileAndTheConnection(t *testing.T) {
	w := theWorld(t)
	text := "SELECT connection, database_bytes FROM sync_status"
	frame := decode(t, w.plugin.query(t, oura, sql("A", "table", text))["A"])[0]
	if state, _ := frame.Fields[0].ConcreteAt(0); state != "connected" {
		t.Errorf("the connection is %v", state)
	}
	stored, err := frame.Fields[1].FloatAt(0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(filepath.Join(oura.folder(w.folder), "oura.db"))
	if err != nil {
		t.Fatal(err)
	}
	// The size is written after each sync, and the newest pages can still be in the log.
	if size := float64(file.Size()); stored < size/2 || stored > size*2 {
		t.Errorf("%.0f bytes in sync_status, %.0f in the file", stored, size)
	}
}
