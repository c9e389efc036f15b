package host

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/grafana/dataplane/sdata/numeric"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"go.yaml.in/yaml/v2"
)

// rule is the part of a provisioned alert rule that decides its state.
type rule struct {
	UID          string            `yaml:"uid"`
	Title        string            `yaml:"title"`
	Condition    string            `yaml:"condition"`
	For          string            `yaml:"for"`
	NoDataState  string            `yaml:"noDataState"`
	ExecErrState string            `yaml:"execErrState"`
	IsPaused     bool              `yaml:"isPaused"`
	DashboardUID string            `yaml:"dashboardUid"`
	PanelID      int               `yaml:"panelId"`
	Labels       map[string]string `yaml:"labels"`
	Annotations  map[string]string `yaml:"annotations"`
	Data         []ruleQuery       `yaml:"data"`
}

type ruleQuery struct {
	RefID         string `yaml:"refId"`
	DatasourceUID string `yaml:"datasourceUid"`
	Range         struct {
		From int64 `yaml:"from"`
		To   int64 `yaml:"to"`
	} `yaml:"relativeTimeRange"`
	Model struct {
		RefID      string `yaml:"refId" json:"refId"`
		QueryType  string `yaml:"queryType" json:"queryType"`
		Format     string `yaml:"format" json:"format"`
		RawSQL     string `yaml:"rawSql" json:"rawSql"`
		Type       string `yaml:"type" json:"-"`
		Expression string `yaml:"expression" json:"-"`
		Conditions []struct {
			Evaluator struct {
				Type   string    `yaml:"type"`
				Params []float64 `yaml:"params"`
			} `yaml:"evaluator"`
		} `yaml:"conditions" json:"-"`
	} `yaml:"model"`
}

type ruleGroup struct {
	Name     string `yaml:"name"`
	Folder   string `yaml:"folder"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

// provisioned reads the rules as Grafana does, except that unknown keys are errors.
func provisioned(t *testing.T) ruleGroup {
	t.Helper()
	content, err := os.ReadFile("../../provisioning/alerting/oura.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		APIVersion int         `yaml:"apiVersion"`
		Groups     []ruleGroup `yaml:"groups"`
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	if file.APIVersion != 1 || len(file.Groups) != 1 {
		t.Fatalf("version %d, %d groups", file.APIVersion, len(file.Groups))
	}
	return file.Groups[0]
}

// evaluate returns the state of each instance of a rule at an instant, by its labels.
func (p *Plugin) evaluate(t *testing.T, source Datasource, r rule, now time.Time) map[string]string {
	t.Helper()
	query, threshold := r.Data[0], r.Data[1]
	encoded, err := json.Marshal(query.Model)
	if err != nil {
		t.Fatal(err)
	}
	request := &pluginv2.QueryDataRequest{
		PluginContext: source.context(),
		Headers:       map[string]string{"FromAlert": "true"},
		Queries: []*pluginv2.DataQuery{{
			RefId: query.RefID, Json: encoded, QueryType: query.Model.QueryType,
			MaxDataPoints: 43200, IntervalMS: 1000,
			TimeRange: &pluginv2.TimeRange{
				FromEpochMS: now.Add(-time.Duration(query.Range.From) * time.Second).UnixMilli(),
				ToEpochMS:   now.Add(-time.Duration(query.Range.To) * time.Second).UnixMilli(),
			},
		}},
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := p.data.QueryData(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	response := answer.Responses[query.RefID]
	if response.GetError() != "" {
		return map[string]string{"": r.onError()}
	}
	return r.states(t, decode(t, response), threshold)
}

// states applies the threshold to the numbers that Grafana's expressions read from frames.
func (r rule) states(t *testing.T, frames data.Frames, threshold ruleQuery) map[string]string {
	t.Helper()
	collection, err := numeric.CollectionReaderFromFrames(frames)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := collection.GetCollection(false)
	if err != nil {
		t.Fatal(err)
	}
	if numbers.NoData() {
		return map[string]string{"": r.onNoData()}
	}
	states := make(map[string]string)
	for _, number := range numbers.Refs {
		labels := number.GetLabels().String()
		if _, isTwice := states[labels]; isTwice {
			t.Fatalf("two instances have the labels %q", labels)
		}
		value, _, err := number.NullableFloat64Value()
		if err != nil {
			t.Fatal(err)
		}
		states[labels] = r.onValue(t, value, threshold)
	}
	return states
}

// onValue is the state for a value: pkg/expr/threshold.go and stateFromVal in
// pkg/services/ngalert/eval/eval.go.
func (r rule) onValue(t *testing.T, value *float64, threshold ruleQuery) string {
	t.Helper()
	if value == nil {
		return r.onNoData()
	}
	evaluator := threshold.Model.Conditions[0].Evaluator
	holds := map[string]bool{
		"gt":  *value > evaluator.Params[0],
		"gte": *value >= evaluator.Params[0],
		"lt":  *value < evaluator.Params[0],
	}
	isFiring, isKnown := holds[evaluator.Type]
	if !isKnown {
		t.Fatalf("unknown evaluator %q", evaluator.Type)
	}
	if isFiring {
		return "Alerting"
	}
	return "Normal"
}

func (r rule) onNoData() string { return "no data: " + r.NoDataState }
func (r rule) onError() string  { return "error: " + r.ExecErrState }

// yesterday is the day of the newest hand-made night. Today's night would end in the future.
func yesterday(now time.Time) time.Time {
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
}

// calmNights are 60 nights around the same values: median HRV 50, heart rate 52, breathing 14 and
// temperature 0, with spreads of 1.4826 times a MAD of 1, 1, 0.1 and 0.1.
func calmNights(now time.Time) []night {
	var all []night
	for back := range 60 {
		step := float64(back%5 - 2)
		all = append(all, night{
			day: yesterday(now).AddDate(0, 0, -back), hrv: 50 + step, heart: 52 + step,
			breath: 14 + step/10, temperature: step / 10, asleep: 8 * time.Hour,
		})
	}
	return all
}

// hardNights are the calm ones with three bad nights at the end.
func hardNights(now time.Time) []night {
	all := calmNights(now)
	for back := range 3 {
		all[back].hrv, all[back].heart = 30, 66
		all[back].breath, all[back].temperature = 16, 1.2
		all[back].asleep = 5 * time.Hour
	}
	return all
}

// ruled is a plugin on a hand-made Oura, after its first sync.
func ruled(t *testing.T, h *handmade, dataDir string) *Plugin {
	t.Helper()
	p := launch(t, dataDir, h.serve(t, 5))
	if err := connect(p, oura); err != nil {
		t.Fatal(err)
	}
	if err := awaitHistory(p, oura); err != nil {
		t.Fatal(err)
	}
	return p
}

func checkState(t *testing.T, states map[string]string, labels, expected string) {
	t.Helper()
	if states[labels] != expected {
		t.Errorf("the state of {%s} is %q instead of %q: %v", labels, states[labels], expected, states)
	}
}

// byUID returns the rules by their uid.
func byUID(t *testing.T) map[string]rule {
	t.Helper()
	rules := make(map[string]rule)
	for _, one := range provisioned(t).Rules {
		rules[one.UID] = one
	}
	return rules
}

// unusualMetrics are the instances of the rule on unusual nights.
var unusualMetrics = []string{"HRV", "Lowest heart rate", "Breathing rate", "Body temperature"}

func TestRulesAreNormalInACalmWeek(t *testing.T) {
	now := time.Now()
	h := &handmade{collections: map[string]func(from, to time.Time) []object{
		"sleep":              nights(calmNights(now)),
		"ring_battery_level": battery(now.Add(-time.Hour), 64, false),
	}}
	p := ruled(t, h, t.TempDir())
	// The end of the first sync is later than the start of this test.
	now = time.Now()
	for _, one := range provisioned(t).Rules {
		states := p.evaluate(t, oura, one, now)
		if len(states) == 0 {
			t.Errorf("%s has no instance", one.UID)
		}
		for labels, state := range states {
			if state != "Normal" {
				t.Errorf("%s {%s} is %q", one.UID, labels, state)
			}
		}
	}
}

func TestRulesFireInAHardWeek(t *testing.T) {
	now := time.Now()
	h := &handmade{
		collections: map[string]func(from, to time.Time) []object{
			"sleep":              nights(hardNights(now)),
			"ring_battery_level": battery(now.Add(-time.Hour), 12, false),
		},
		refused: map[string]bool{"workout": true},
	}
	p := ruled(t, h, t.TempDir())
	now = time.Now()
	rules := byUID(t)

	failing := p.evaluate(t, oura, rules["oura-collection-failing"], now)
	checkState(t, failing, "collection=workout", "Alerting")
	checkState(t, failing, "collection=sleep", "Normal")
	checkState(t, p.evaluate(t, oura, rules["oura-battery-low"], now), "", "Alerting")
	unusual := p.evaluate(t, oura, rules["oura-unusual"], now)
	for _, metric := range unusualMetrics {
		checkState(t, unusual, "metric="+metric, "Alerting")
	}
	checkState(t, p.evaluate(t, oura, rules["oura-strain"], now), "", "Alerting")
	checkState(t, p.evaluate(t, oura, rules["oura-short-nights"], now), "", "Alerting")

	checkState(t, p.evaluate(t, oura, rules["oura-sync-stale"], now), "", "Normal")
	later := now.Add(7 * time.Hour)
	checkState(t, p.evaluate(t, oura, rules["oura-sync-stale"], later), "", "Alerting")
	checkState(t, p.evaluate(t, oura, rules["oura-nothing-new"], now), "", "Normal")
	daysLater := now.AddDate(0, 0, 4)
	checkState(t, p.evaluate(t, oura, rules["oura-nothing-new"], daysLater), "", "Alerting")
	// The bad nights are no longer the last ones.
	for _, uid := range []string{"oura-unusual", "oura-strain", "oura-battery-low"} {
		checkState(t, p.evaluate(t, oura, rules[uid], daysLater), "", rules[uid].onNoData())
	}

	checkState(t, p.evaluate(t, oura, rules["oura-reconnect-needed"], now), "", "Normal")
	h.isLoggedOut.Store(true)
	p.call(t, oura, http.MethodPost, "sync", map[string]any{})
	err := await(func() (bool, error) {
		status, err := p.resource(oura, http.MethodGet, "status", nil)
		return status.field("state") == "reconnect_needed", err
	})
	if err != nil {
		t.Fatal(err)
	}
	checkState(t, p.evaluate(t, oura, rules["oura-reconnect-needed"], time.Now()), "", "Alerting")
}

// A ring on its charger has a low level that rises.
func TestChargingRingIsNotLow(t *testing.T) {
	now := time.Now()
	h := &handmade{collections: map[string]func(from, to time.Time) []object{
		"sleep":              nights(calmNights(now)[:3]),
		"ring_battery_level": battery(now.Add(-time.Hour), 12, true),
	}}
	p := ruled(t, h, t.TempDir())
	rules := byUID(t)
	checkState(t, p.evaluate(t, oura, rules["oura-battery-low"], time.Now()), "", "no data: OK")
	// Three nights are too few for usual values, but enough for a sum.
	checkState(t, p.evaluate(t, oura, rules["oura-unusual"], time.Now()), "", "no data: OK")
	checkState(t, p.evaluate(t, oura, rules["oura-strain"], time.Now()), "", "no data: OK")
	checkState(t, p.evaluate(t, oura, rules["oura-short-nights"], time.Now()), "", "Normal")
}

func TestRulesWithoutDataHaveTheirOwnState(t *testing.T) {
	p := launch(t, t.TempDir(), unreachable)
	for _, one := range provisioned(t).Rules {
		states := p.evaluate(t, oura, one, time.Now())
		if len(states) != 1 || states[""] != one.onNoData() {
			t.Errorf("%s: %v", one.UID, states)
		}
	}
}

func TestRulesOnADamagedDatabaseHaveTheErrorState(t *testing.T) {
	dataDir := t.TempDir()
	folder := oura.folder(dataDir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	noise := []byte(strings.Repeat("not a database ", 1000))
	if err := os.WriteFile(filepath.Join(folder, "oura.db"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dataDir, unreachable)
	reporting := 0
	for _, one := range provisioned(t).Rules {
		states := p.evaluate(t, oura, one, time.Now())
		checkState(t, states, "", one.onError())
		if one.ExecErrState != "KeepLast" {
			reporting++
		}
	}
	if reporting != 1 {
		t.Errorf("%d rules report the same error", reporting)
	}
}

// The words of rules: each has a summary and a remedy, and a panel that shows the value.
func TestRulesExplainThemselves(t *testing.T) {
	group := provisioned(t)
	if group.Name != "Oura" || group.Folder != "Oura" || group.Interval != "30m" || len(group.Rules) != 8 {
		t.Errorf("%s in %s, every %s, %d rules", group.Name, group.Folder, group.Interval, len(group.Rules))
	}
	states := []string{"OK", "Alerting", "KeepLast", "Error"}
	expansion := regexp.MustCompile(`\$\{|\$__(env|file|vault)\{`)
	for _, one := range group.Rules {
		if !one.IsPaused {
			t.Errorf("%s is not paused", one.UID)
		}
		if !slices.Contains(states, one.NoDataState) || !slices.Contains(states, one.ExecErrState) {
			t.Errorf("%s: %q, %q", one.UID, one.NoDataState, one.ExecErrState)
		}
		if kind := one.Labels["oura"]; kind != "data" && kind != "body" {
			t.Errorf("%s has the label %q", one.UID, kind)
		}
		if one.Annotations["summary"] == "" || !strings.HasSuffix(one.Annotations["description"], ".") {
			t.Errorf("%s: %v", one.UID, one.Annotations)
		}
		// Grafana keeps queries as they are, except for these forms.
		if query := one.Data[0].Model.RawSQL; query == "" || expansion.MatchString(query) {
			t.Errorf("%s: %q", one.UID, query)
		}
		if one.Condition != one.Data[1].RefID || one.Data[1].DatasourceUID != "__expr__" ||
			one.Data[1].Model.Expression != one.Data[0].RefID {
			t.Errorf("the condition of %s does not use its query", one.UID)
		}
		if one.Annotations["__dashboardUid__"] != one.DashboardUID ||
			one.Annotations["__panelId__"] != fmt.Sprint(one.PanelID) {
			t.Errorf("%s links to different panels", one.UID)
		}
		if title := panelTitle(t, one); title != linkedPanels[one.UID] {
			t.Errorf("%s links to the panel %q instead of %q", one.UID, title, linkedPanels[one.UID])
		}
	}
}

// expand fills in a text of a rule as pkg/services/ngalert/state/template of Grafana does. Without
// data, Grafana sets the value of a query to NaN. After an error, it is missing.
func expand(t *testing.T, text string, values map[string]float64) string {
	t.Helper()
	type value struct{ Value float64 }
	variables := map[string]value{}
	for refID, number := range values {
		variables[refID] = value{number}
	}
	header := "{{- $labels := .Labels -}}{{- $values := .Values -}}"
	parsed, err := template.New("rule").Parse(header + text)
	if err != nil {
		t.Fatal(err)
	}
	var expanded strings.Builder
	err = parsed.Execute(&expanded, map[string]any{
		"Labels": map[string]string{"collection": "workout", "metric": "HRV"},
		"Values": variables,
	})
	if err != nil {
		t.Fatal(err)
	}
	return expanded.String()
}

// The messages of a rule, for the values with which it sends one.
func TestMessagesOfRulesNameTheirValues(t *testing.T) {
	blank := regexp.MustCompile(`NaN|<nil>|no value|%!`)
	for _, one := range provisioned(t).Rules {
		values := []map[string]float64{{"A": 7}}
		if one.NoDataState == "Alerting" {
			values = append(values, map[string]float64{"A": math.NaN()})
		}
		if one.ExecErrState == "Error" {
			values = append(values, nil)
		}
		for _, each := range values {
			for _, name := range []string{"summary", "description"} {
				if text := expand(t, one.Annotations[name], each); blank.MatchString(text) {
					t.Errorf("%s with %v: %s", one.UID, each, text)
				}
			}
		}
	}
	stale := byUID(t)["oura-sync-stale"].Annotations["description"]
	if text := expand(t, stale, map[string]float64{"A": 7}); !strings.Contains(text, "was 7 hours ago") {
		t.Error(text)
	}
	if text := expand(t, stale, map[string]float64{"A": math.NaN()}); !strings.Contains(text, "No sync") {
		t.Error(text)
	}
}

// linkedPanels has the panel of each rule. The number of a panel changes with its dashboard.
var linkedPanels = map[string]string{
	"oura-sync-stale":         "State",
	"oura-reconnect-needed":   "State",
	"oura-collection-failing": "Collections",
	"oura-nothing-new":        "Coverage",
	"oura-battery-low":        "Ring battery",
	"oura-unusual":            "Distance from usual",
	"oura-strain":             "Signs of strain",
	"oura-short-nights":       "Time asleep and need",
}

func panelTitle(t *testing.T, r rule) string {
	t.Helper()
	content, err := os.ReadFile("../../provisioning/dashboards/" + r.DashboardUID + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID    int    `json:"id"`
			Title string `json:"title"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		if panel.ID == r.PanelID {
			return panel.Title
		}
	}
	return ""
}
