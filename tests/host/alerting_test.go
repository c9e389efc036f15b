package host

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grafana/dataplane/sdata"
	"github.com/grafana/dataplane/sdata/numeric"
	"github.com/grafana/dataplane/sdata/reader"
	"github.com/grafana/dataplane/sdata/timeseries"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// metrics is a metrics query over all days.
func metrics(refID string, query map[string]any) *pluginv2.DataQuery {
	query["queryType"] = "metrics"
	encoded, err := json.Marshal(query)
	if err != nil {
		panic(err)
	}
	return overEverything(refID, encoded)
}

// ruleInput is the part of a response that an alert rule reads. Rules read frames by their type
// with the library of Grafana's server-side expressions (pkg/expr/dataplane.go). They distinguish
// values by labels and ignore the names of fields.
type ruleInput struct {
	noData bool
	// labels and latest have the labels and the latest value of each series or number.
	labels []string
	latest []float64
}

// readAsRule reads frames as an alert rule does.
func readAsRule(t *testing.T, frames data.Frames) ruleInput {
	t.Helper()
	kind, err := reader.CanReadBasedOnMeta(frames)
	var version *sdata.VersionWarning
	if err != nil || errors.As(err, &version) {
		t.Fatalf("rules cannot read %v: %v", kind, err)
	}
	if kind.Kind() == data.KindNumeric {
		return readNumbers(t, frames)
	}
	return readSeries(t, frames)
}

func readSeries(t *testing.T, frames data.Frames) (s ruleInput) {
	t.Helper()
	collection, err := timeseries.CollectionReaderFromFrames(frames)
	if err != nil {
		t.Fatal(err)
	}
	all, err := collection.GetCollection(true)
	if err != nil {
		t.Fatal(err)
	}
	s.noData = all.NoData()
	for _, series := range all.Refs {
		length, err := series.Len()
		if err != nil || length == 0 {
			t.Fatalf("a series of %d points: %v", length, err)
		}
		_, value, err := series.NullableFloat64Point(length - 1)
		if err != nil {
			t.Fatal(err)
		}
		s.add(series.GetLabels(), value)
	}
	return s
}

func readNumbers(t *testing.T, frames data.Frames) (s ruleInput) {
	t.Helper()
	collection, err := numeric.CollectionReaderFromFrames(frames)
	if err != nil {
		t.Fatal(err)
	}
	all, err := collection.GetCollection(false)
	if err != nil {
		t.Fatal(err)
	}
	s.noData = all.NoData()
	for _, number := range all.Refs {
		value, _, err := number.NullableFloat64Value()
		if err != nil {
			t.Fatal(err)
		}
		s.add(number.GetLabels(), value)
	}
	return s
}

func (s *ruleInput) add(labels data.Labels, value *float64) {
	s.labels = append(s.labels, labels.String())
	if value != nil {
		s.latest = append(s.latest, *value)
	}
}

func TestRuleOnOneMetricReadsOneSeriesWithoutLabels(t *testing.T) {
	w := theWorld(t)
	query := map[string]any{"metrics": []string{"days.readiness_score"}}
	response := w.plugin.query(t, oura, metrics("A", query))["A"]
	s := readAsRule(t, decode(t, response))
	if s.noData || len(s.labels) != 1 || s.labels[0] != "" || s.latest[0] < 1 || s.latest[0] > 100 {
		t.Errorf("%+v", s)
	}
}

func TestRuleOnSeveralMetricsReadsUniqueLabels(t *testing.T) {
	w := theWorld(t)
	query := map[string]any{
		"metrics": []string{"nights.average_hrv", "nights.lowest_heart_rate"}, "baseline": 30,
	}
	s := readAsRule(t, decode(t, w.plugin.query(t, oura, metrics("A", query))["A"]))
	unique := map[string]bool{}
	for _, labels := range s.labels {
		unique[labels] = true
	}
	if len(s.labels) != 8 || len(unique) != 8 || !unique["band=lower, metric=nights.average_hrv"] {
		t.Errorf("%q", s.labels)
	}
}

func TestRuleOnSQLReadsOneSeriesPerLabel(t *testing.T) {
	w := theWorld(t)
	text := `SELECT $__timeGroup(time, '1d') AS time, source, avg(bpm) AS bpm FROM heartrate
		WHERE $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1`
	s := readAsRule(t, decode(t, w.plugin.query(t, oura, sql("A", "time_series", text))["A"]))
	if len(s.labels) < 2 || !strings.HasPrefix(s.labels[0], "source=") {
		t.Errorf("%q", s.labels)
	}
}

// Grafana rejects frames with equal labels of two values: "frame cannot uniquely be identified by its
// labels". The first statement is the README's.
func TestRuleOnSeveralColumnsReadsUniqueLabels(t *testing.T) {
	w := theWorld(t)
	const columns = `SELECT time, average_hrv, lowest_heart_rate FROM nights
		WHERE $__timeFilter(time) ORDER BY time`
	const oneRow = `SELECT max(average_hrv) AS highest, min(average_hrv) AS lowest FROM nights`
	for _, rule := range []struct{ format, text, labels string }{
		{"time_series", columns, "metric=average_hrv|metric=lowest_heart_rate"},
		{"table", oneRow, "metric=highest|metric=lowest"},
	} {
		request := &pluginv2.QueryDataRequest{
			PluginContext: oura.context(),
			Headers:       map[string]string{"FromAlert": "true"},
			Queries:       []*pluginv2.DataQuery{sql("A", rule.format, rule.text)},
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		answer, err := w.plugin.data.QueryData(ctx, request)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		s := readAsRule(t, decode(t, answer.Responses["A"]))
		if got := strings.Join(s.labels, "|"); got != rule.labels || len(s.latest) != 2 {
			t.Errorf("%s: %q, %v", rule.format, got, s.latest)
		}
	}
}

func TestRuleOnHRVBelowItsBaselineReadsOneNumber(t *testing.T) {
	w := theWorld(t)
	text := `SELECT 'average_hrv' AS metric, (value - mean) / deviation AS score FROM baselines
		WHERE metric = 'average_hrv' AND deviation > 0 ORDER BY day DESC LIMIT 1`
	s := readAsRule(t, decode(t, w.plugin.query(t, oura, sql("A", "table", text))["A"]))
	if len(s.latest) != 1 || s.latest[0] < -10 || s.latest[0] > 10 ||
		s.labels[0] != "metric=average_hrv" {
		t.Errorf("%+v", s)
	}
}

func TestRuleOnAStaleSyncReadsOneNumber(t *testing.T) {
	w := theWorld(t)
	query := sql("A", "table", "SELECT age_seconds FROM sync_status")
	s := readAsRule(t, decode(t, w.plugin.query(t, oura, query)["A"]))
	if len(s.latest) != 1 || s.latest[0] < 0 || s.latest[0] > 3600 {
		t.Errorf("%+v", s)
	}
}

func TestNoDataIsNotAnEmptySeries(t *testing.T) {
	w := theWorld(t)
	nothing := []map[string]any{{"column": "source", "value": "nobody"}}
	answers := w.plugin.query(t, oura,
		sql("A", "time_series", "SELECT time, bpm FROM heartrate WHERE source = 'nobody'"),
		sql("B", "table", `SELECT source, count(*) AS rows FROM heartrate WHERE source = 'nobody'
			GROUP BY 1`),
		metrics("C", map[string]any{"metrics": []string{"heartrate.bpm"}, "filters": nothing}),
	)
	for refID, response := range answers {
		if s := readAsRule(t, decode(t, response)); !s.noData {
			t.Errorf("%s: %+v", refID, s)
		}
	}
}

func TestErrorOfOneQueryNamesTheRemedy(t *testing.T) {
	w := theWorld(t)
	answers := w.plugin.query(t, oura,
		metrics("A", map[string]any{"metrics": []string{"days.readines_score"}}),
		metrics("B", map[string]any{"metrics": []string{"days.readiness_score"}}),
	)
	bad := answers["A"]
	message := "Unknown metric days.readines_score. Did you mean days.readiness_score"
	if bad.Status != 400 || !strings.HasPrefix(bad.Error, message) || len(bad.Frames) != 0 {
		t.Errorf("%d %q", bad.Status, bad.Error)
	}
	if readAsRule(t, decode(t, answers["B"])).noData {
		t.Error("the invalid query affects the valid one")
	}
}

func TestMetricsHaveUnitsTitlesAndSQL(t *testing.T) {
	w := theWorld(t)
	query := map[string]any{
		"metrics": []string{"nights.average_hrv"}, "aggregate": "median", "every": "week",
	}
	frame := decode(t, w.plugin.query(t, oura, metrics("A", query))["A"])[0]
	config := frame.Fields[1].Config
	if config == nil || config.Unit != "ms" ||
		config.DisplayNameFromDS != "Mean heart rate variability, median" {
		t.Errorf("%+v", config)
	}
	if !strings.Contains(frame.Meta.ExecutedQueryString, "median(\"average_hrv\")") {
		t.Error(frame.Meta.ExecutedQueryString)
	}
	custom, _ := json.Marshal(frame.Meta.Custom)
	if !strings.Contains(string(custom), `"sources":["nights"]`) {
		t.Errorf("%s", custom)
	}
}

func TestAnnotationsHaveTheFieldsOfGrafana(t *testing.T) {
	w := theWorld(t)
	encoded := []byte(`{"queryType":"annotations","kinds":["workouts","sleep","tags"]}`)
	frame := decode(t, w.plugin.query(t, oura, overEverything("Anno", encoded))["Anno"])[0]
	if got := strings.Join(names(frame), " "); got != "time timeEnd title text tags" {
		t.Error(got)
	}
	if frame.Rows() == 0 || !frame.Fields[0].Type().Time() || !frame.Fields[1].Type().Time() {
		t.Errorf("%d rows, %v %v", frame.Rows(), frame.Fields[0].Type(), frame.Fields[1].Type())
	}
}

// Grafana takes the fields of all events from the first one, and leaves out its nulls: regions and
// texts of the others would not be drawn.
func TestEveryAnnotationHasAnEndAndATextWhateverComesFirst(t *testing.T) {
	w := theWorld(t)
	encoded := []byte(`{"queryType":"annotations","kinds":[]}`)
	frame := decode(t, w.plugin.query(t, oura, overEverything("Anno", encoded))["Anno"])[0]
	moments, regions := 0, 0
	for row := range frame.Rows() {
		for _, field := range frame.Fields {
			if field.NilAt(row) {
				t.Fatalf("row %d has no %s", row, field.Name)
			}
		}
		start, _ := frame.Fields[0].ConcreteAt(row)
		end, _ := frame.Fields[1].ConcreteAt(row)
		switch length := end.(time.Time).Sub(start.(time.Time)); {
		case length < 0:
			t.Errorf("row %d ends before it starts", row)
		case length == 0:
			moments++
		default:
			regions++
		}
	}
	if moments == 0 || regions == 0 {
		t.Errorf("%d moments, %d regions", moments, regions)
	}
}

func TestVariablesHaveTextAndValue(t *testing.T) {
	w := theWorld(t)
	text := "SELECT DISTINCT replace(type, '_', ' ') AS __text, type AS __value FROM sleep ORDER BY 1"
	frame := decode(t, w.plugin.query(t, oura, sql("A", "table", text))["A"])[0]
	if got := strings.Join(names(frame), " "); got != "__text __value" || frame.Rows() == 0 {
		t.Errorf("%s, %d rows", got, frame.Rows())
	}
}
