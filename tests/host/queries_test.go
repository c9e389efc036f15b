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

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// sql is an SQL query over all days.
func sql(refID, format, text string) *pluginv2.DataQuery {
	encoded, err := json.Marshal(map[string]any{
		"refId": refID, "queryType": "sql", "format": format, "rawSql": text,
	})
	if err != nil {
		panic(err)
	}
	return overEverything(refID, encoded)
}

func overEverything(refID string, query []byte) *pluginv2.DataQuery {
	now := time.Now()
	return &pluginv2.DataQuery{
		RefId:         refID,
		MaxDataPoints: 1000,
		IntervalMS:    3_600_000,
		TimeRange: &pluginv2.TimeRange{
			FromEpochMS: now.AddDate(0, 0, -days).UnixMilli(), ToEpochMS: now.UnixMilli(),
		},
		Json: query,
	}
}

// query returns the responses by refId.
func (p *Plugin) query(
	t *testing.T, source Datasource, queries ...*pluginv2.DataQuery,
) map[string]*pluginv2.DataResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request := &pluginv2.QueryDataRequest{PluginContext: source.context(), Queries: queries}
	response, err := p.data.QueryData(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	return response.Responses
}

// decode reads all frames with Grafana's own code.
func decode(t *testing.T, response *pluginv2.DataResponse) data.Frames {
	t.Helper()
	if response.GetError() != "" {
		t.Fatalf("%d %s", response.Status, response.Error)
	}
	frames, err := data.UnmarshalArrowFrames(response.GetFrames())
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func rowsOf(t *testing.T, response *pluginv2.DataResponse) int {
	t.Helper()
	rows := 0
	for _, frame := range decode(t, response) {
		rows += frame.Rows()
	}
	return rows
}

// panel is the part of a dashboard's panel with its queries.
type panel struct {
	Title   string            `json:"title"`
	Type    string            `json:"type"`
	Targets []json.RawMessage `json:"targets"`
	Panels  []panel           `json:"panels"`
}

// canBeEmpty names panels and annotations without data when all is well, or for this person.
var canBeEmpty = map[string]bool{
	"Gaps":                        true,
	"Queue":                       true,
	"Revisions":                   true,
	"Rest mode (readings differ)": true,
	"Time zone moves":             true,
}

// variable is the part of a dashboard's variable with its value.
type variable struct {
	Name    string `json:"name"`
	Current struct {
		Value json.RawMessage `json:"value"`
	} `json:"current"`
}

// withDefaults replaces variables in a query by their values, as Grafana's frontend does.
func withDefaults(target json.RawMessage, variables []variable) json.RawMessage {
	text := string(target)
	for _, one := range variables {
		var value string
		if json.Unmarshal(one.Current.Value, &value) == nil {
			if one.Name == "compare" {
				// The default selects no earlier range.
				value = "28"
			}
			text = strings.ReplaceAll(text, "$"+one.Name, value)
		}
	}
	return json.RawMessage(text)
}

func TestEveryDashboardQueryReturnsRows(t *testing.T) {
	w := theWorld(t)
	files, err := filepath.Glob("../../provisioning/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard struct {
			Panels      []panel `json:"panels"`
			Annotations struct {
				List []struct {
					Name   string          `json:"name"`
					Target json.RawMessage `json:"target"`
				} `json:"list"`
			} `json:"annotations"`
			Templating struct {
				List []variable `json:"list"`
			} `json:"templating"`
		}
		if err := json.Unmarshal(content, &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		queries := 0
		for _, panel := range flat(dashboard.Panels) {
			for _, target := range panel.Targets {
				if hasWords(target) {
					continue
				}
				queries++
				target := withDefaults(target, dashboard.Templating.List)
				t.Run(filepath.Base(file)+"/"+panel.Title, func(t *testing.T) {
					check(t, w, panel.Type == "timeseries", canBeEmpty[panel.Title], target)
				})
			}
		}
		for _, annotation := range dashboard.Annotations.List {
			if annotation.Target != nil {
				queries++
				t.Run(filepath.Base(file)+"/"+annotation.Name, func(t *testing.T) {
					check(t, w, true, canBeEmpty[annotation.Name], annotation.Target)
				})
			}
		}
		if queries == 0 {
			t.Errorf("%s has no query", file)
		}
	}
}

// hasWords reports whether a query only returns rows without data: the words of a heat map.
func hasWords(target json.RawMessage) bool {
	var query struct {
		RefID string `json:"refId"`
	}
	return json.Unmarshal(target, &query) == nil && query.RefID == "words"
}

func flat(panels []panel) []panel {
	var all []panel
	for _, one := range panels {
		all = append(append(all, one), flat(one.Panels)...)
	}
	return all
}

func check(t *testing.T, w *world, needsTime, mayBeEmpty bool, target json.RawMessage) {
	frames := decode(t, w.plugin.query(t, oura, overEverything("A", target))["A"])
	rows := 0
	for _, frame := range frames {
		rows += frame.Rows()
		field, index := frame.FieldByName("time")
		if needsTime && frame.Rows() > 0 && (index < 0 || !field.Type().Time()) {
			t.Errorf("no time column among %v", names(frame))
		}
	}
	if rows == 0 && !mayBeEmpty {
		t.Errorf("no rows: %s", target)
	}
}

func names(frame *data.Frame) []string {
	var all []string
	for _, field := range frame.Fields {
		all = append(all, field.Name)
	}
	return all
}

func TestResponsesToOneRequestShareAByteLimit(t *testing.T) {
	limit := "GF_PLUGIN_QUERY_MAX_BYTES=1048576"
	p, err := start(append(environment(t.TempDir(), unreachable), limit))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	const rows = 50_000
	large := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d)
		SELECT i, 2 * i AS twice FROM n`, rows)
	var queries []*pluginv2.DataQuery
	for _, refID := range []string{"A", "B", "C", "D", "E"} {
		queries = append(queries, sql(refID, "table", large))
	}
	answered := 0
	for refID, response := range p.query(t, oura, queries...) {
		switch {
		case response.Error == "":
			answered++
			if found := rowsOf(t, response); found != rows {
				t.Errorf("%s: %d rows", refID, found)
			}
		case response.Status != 422 ||
			!strings.Contains(response.Error, "the responses to this request exceed 2 MiB"):
			t.Errorf("%s: %d %s", refID, response.Status, response.Error)
		}
	}
	if answered != 2 {
		t.Errorf("%d responses of 0.8 MB within the limit of 2 MiB", answered)
	}
}
