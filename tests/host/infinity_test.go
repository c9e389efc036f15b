package host

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// infinityProgram is the backend of Grafana's Infinity data source. It cannot be a tool in go.mod: Go
// does not accept the versions of its releases, v3 without /v3 in the path of the module.
const infinityProgram = "gpx_infinity"

// infinity is a running Infinity data source with a bearer token for one server.
type infinity struct {
	*Plugin
	origin, token string
	// id identifies the data source. Infinity keeps the settings of a known one.
	id int64
}

// findInfinity returns the path of the program. Without it, the test is skipped.
func findInfinity(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath(infinityProgram)
	if err != nil {
		t.Skipf("skipped: %s is not in the PATH; build ./pkg of a checkout of "+
			"github.com/grafana/grafana-infinity-datasource under this name", infinityProgram)
	}
	return program
}

// startInfinity starts the program until the end of the test.
func startInfinity(t *testing.T, program, origin, token string) infinity {
	t.Helper()
	plugin, err := startAs(exec.Command(program), []string{"GF_VERSION=12.4.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plugin.Kill)
	return infinity{plugin, origin, token, 1}
}

// infinityColumn is a column in the query editor of Infinity.
type infinityColumn struct {
	Selector string `json:"selector"`
	Text     string `json:"text"`
	Type     string `json:"type"`
}

// ask sends a query with a body of JSON, as the query editor of Infinity does.
func (i infinity) ask(t *testing.T, path, body string, columns ...infinityColumn) *pluginv2.DataResponse {
	t.Helper()
	settings, err := json.Marshal(map[string]any{
		"auth_method": "bearerToken", "allowedHosts": []string{i.origin},
	})
	if err != nil {
		t.Fatal(err)
	}
	query, err := json.Marshal(map[string]any{
		"refId": "A", "type": "json", "source": "url", "parser": "backend", "format": "table",
		"url": i.origin + path, "root_selector": "results", "columns": columns,
		"url_options": map[string]string{
			"method": "POST", "body_type": "raw", "body_content_type": "application/json",
			"data": body,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := i.data.QueryData(ctx, &pluginv2.QueryDataRequest{
		PluginContext: &pluginv2.PluginContext{
			OrgId: 1, PluginId: "yesoreyeram-infinity-datasource",
			User: &pluginv2.User{Login: "ann", Role: "Viewer"},
			DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{
				Id: i.id, Uid: "infinity", Name: "Infinity", JsonData: settings,
				DecryptedSecureJsonData: map[string]string{"bearerToken": i.token},
			},
		},
		Queries: []*pluginv2.DataQuery{overEverything("A", query)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Responses["A"]
}

// documentedBody is the body of the documents' recipe. Infinity replaces the range of the panel in it,
// unless Grafana's page has done so.
func documentedBody(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "http-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(text), "\n## Grafana's Infinity data source\n")
	_, body, isFound := strings.Cut(recipe, "```json\n")
	body, _, isEnded := strings.Cut(body, "```")
	if !isFound || !isEnded {
		t.Fatal("no body in the recipe")
	}
	return body
}

// typesOf are the types of all fields by name.
func typesOf(frame *data.Frame) map[string]data.FieldType {
	types := map[string]data.FieldType{}
	for _, field := range frame.Fields {
		types[field.Name] = field.Type()
	}
	return types
}

// The recipe in docs/http-api.md with the real Infinity data source: fields by name, without columns
// and with them.
func TestInfinityReadsRowsByName(t *testing.T) {
	program := findInfinity(t)
	folder := t.TempDir()
	run(t, exec.Command(binary, "demo", "--days", "30", "--repeat", "1", "--data-dir", folder))
	origin, _ := serveFolder(t, folder)
	infinity := startInfinity(t, program, origin, httpToken)
	body := documentedBody(t)

	for _, form := range []struct {
		name, path string
		columns    []infinityColumn
		types      map[string]data.FieldType
	}{
		{
			name: "no columns", path: "/api/sql?rows=objects",
			types: map[string]data.FieldType{
				"time": data.FieldTypeNullableString, "day": data.FieldTypeNullableString,
				"average_hrv": data.FieldTypeNullableFloat64,
			},
		},
		{
			name: "ISO times", path: "/api/sql?rows=objects",
			columns: []infinityColumn{{"time", "", "timestamp"}, {"average_hrv", "HRV", "number"}},
			types: map[string]data.FieldType{
				"time": data.FieldTypeNullableTime, "HRV": data.FieldTypeNullableFloat64,
			},
		},
		{
			name: "milliseconds", path: "/api/sql?rows=objects&times=milliseconds",
			columns: []infinityColumn{{"time", "", "timestamp_epoch"}, {"average_hrv", "", "number"}},
			types: map[string]data.FieldType{
				"time": data.FieldTypeNullableTime, "average_hrv": data.FieldTypeNullableFloat64,
			},
		},
		{
			name: "seconds", path: "/api/sql?rows=objects&times=seconds",
			columns: []infinityColumn{{"time", "", "timestamp_epoch_s"}, {"average_hrv", "", "number"}},
			types: map[string]data.FieldType{
				"time": data.FieldTypeNullableTime, "average_hrv": data.FieldTypeNullableFloat64,
			},
		},
	} {
		t.Run(form.name, func(t *testing.T) {
			frames := decode(t, infinity.ask(t, form.path, body, form.columns...))
			if len(frames) != 1 || frames[0].Rows() < 25 {
				t.Fatalf("%d frames: %v", len(frames), frames)
			}
			types := typesOf(frames[0])
			if len(types) != len(form.types) {
				t.Errorf("fields: %v", types)
			}
			for name, want := range form.types {
				if types[name] != want {
					t.Errorf("%s is %v instead of %v", name, types[name], want)
				}
			}
			time, _ := frames[0].FieldByName("time")
			if time.Type() == data.FieldTypeNullableTime {
				checkNights(t, time)
			}
		})
	}
	t.Run("rejected token", func(t *testing.T) {
		stranger := infinity
		stranger.token, stranger.id = "another-token-of-the-tests", 2
		answer := stranger.ask(t, "/api/sql?rows=objects", body)
		if !strings.Contains(answer.GetError(), "401") {
			t.Errorf("%q", answer.GetError())
		}
	})
}

// checkNights compares the values with the present: they are nights of the last month, in order.
func checkNights(t *testing.T, times *data.Field) {
	t.Helper()
	earlier := time.Now().AddDate(0, 0, -35)
	for i := range times.Len() {
		night, isKnown := times.ConcreteAt(i)
		if !isKnown || !night.(time.Time).After(earlier) || night.(time.Time).After(time.Now()) {
			t.Fatalf("row %d: %v after %v", i, night, earlier)
		}
		earlier = night.(time.Time)
	}
}
