package host

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

func TestHealthReportsCollectionsAndDetails(t *testing.T) {
	w := theWorld(t)
	health := w.plugin.health(t, oura)
	if health.Status != pluginv2.CheckHealthResponse_OK ||
		!strings.HasPrefix(health.Message, "Connected. ") {
		t.Errorf("status %v: %s", health.Status, health.Message)
	}
	var details map[string]any
	err := json.Unmarshal(health.JsonDetails, &details)
	if err != nil || details["collections"] == nil {
		t.Errorf("details %s: %v", health.JsonDetails, err)
	}
}

func TestHealthStartsASyncAtMostOnceAMinute(t *testing.T) {
	w := theWorld(t)
	// A separate process: in the shared one, another test may have checked within this minute.
	p := launch(t, t.TempDir(), w.origin)
	if err := connect(p, oura); err != nil {
		t.Fatal(err)
	}
	lastRun := func() (run float64) {
		err := await(func() (bool, error) {
			status, err := p.resource(oura, http.MethodGet, "status", nil)
			run, _ = status.field("sync", "run").(float64)
			return run > 0 && status.field("sync", "running") == false, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	before := lastRun()
	if health := p.health(t, oura); health.Status != pluginv2.CheckHealthResponse_OK {
		t.Errorf("status %v: %s", health.Status, health.Message)
	}
	first := lastRun()
	if first != before+1 {
		t.Errorf("the check started no sync: run %v, before it %v", first, before)
	}
	query := map[string]string{"sql": "SELECT trigger FROM sync_runs ORDER BY run DESC LIMIT 1"}
	triggers := p.call(t, oura, http.MethodPost, "sql", query)
	if !bytes.Contains(triggers.Body, []byte(`"health"`)) {
		t.Errorf("the last run has another trigger: %s", triggers.Body)
	}
	p.health(t, oura)
	if second := lastRun(); second != first {
		t.Errorf("a second check within a minute started run %v", second)
	}
}

// health is the result of Save & test.
func (p *Plugin) health(t *testing.T, source Datasource) *pluginv2.CheckHealthResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request := &pluginv2.CheckHealthRequest{PluginContext: source.context()}
	health, err := p.diagnostics.CheckHealth(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	return health
}

func TestHealthWithoutALoginNamesTheRemedy(t *testing.T) {
	w := theWorld(t)
	health := w.plugin.health(t, Datasource{Org: 7, UID: "fresh", Role: "Admin"})
	if health.Status != pluginv2.CheckHealthResponse_ERROR ||
		!strings.Contains(health.Message, "Press Connect") {
		t.Errorf("status %v: %s", health.Status, health.Message)
	}
}

func TestMetricsCoverAllDataSources(t *testing.T) {
	w := theWorld(t)
	request := &pluginv2.CollectMetricsRequest{
		PluginContext: &pluginv2.PluginContext{PluginId: pluginID},
	}
	metrics, err := w.plugin.diagnostics.CollectMetrics(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	text := string(metrics.Metrics.Prometheus)
	lines := []string{"ringside_up 1\n", "ringside_connected{" + oura.labels() + "} 1\n"}
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

func TestInvalidQueryLeavesOtherQueriesAlone(t *testing.T) {
	w := theWorld(t)
	responses := w.plugin.query(t, oura,
		sql("good", "table", "SELECT day, sleep_score FROM days ORDER BY day"),
		sql("typo", "table", "SELECT sleep_scor FROM days"),
		sql("write", "table", "DELETE FROM sleep"),
	)
	if len(responses) != 3 {
		t.Fatalf("%d answers", len(responses))
	}
	if rows := rowsOf(t, responses["good"]); rows < days-5 {
		t.Errorf("%d days", rows)
	}
	wrong := responses["typo"]
	if wrong.Status != 400 || !strings.Contains(wrong.Error, "sleep_score") {
		t.Errorf("%d %s", wrong.Status, wrong.Error)
	}
	if wrong := responses["write"]; wrong.Status < 400 || wrong.Error == "" || len(wrong.Frames) != 0 {
		t.Errorf("%d %s", wrong.Status, wrong.Error)
	}
}

func TestTimeSeriesHasTheTypeForAlerting(t *testing.T) {
	w := theWorld(t)
	query := "SELECT time, average_hrv FROM nights WHERE $__timeFilter(time) ORDER BY time"
	response := w.plugin.query(t, oura, sql("A", "time_series", query))["A"]
	frames := decode(t, response)
	if len(frames) != 1 || frames[0].Meta == nil {
		t.Fatalf("%d frames", len(frames))
	}
	frame := frames[0]
	if frame.RefID != "A" || !strings.HasPrefix(string(frame.Meta.Type), "timeseries-") ||
		frame.Meta.TypeVersion.IsZero() {
		t.Errorf("refId %q, type %q %v", frame.RefID, frame.Meta.Type, frame.Meta.TypeVersion)
	}
	if frame.TimeSeriesSchema().Type == data.TimeSeriesTypeNot {
		t.Error("Grafana reads no time series")
	}
	executed := frame.Meta.ExecutedQueryString
	if !strings.Contains(executed, "BETWEEN") && !strings.Contains(executed, ">=") {
		t.Errorf("executed: %s", executed)
	}
}

func TestOnlyAdminsChangeAnything(t *testing.T) {
	w := theWorld(t)
	routes := []string{
		"sync", "backfill", "oauth/start", "oauth/callback", "oauth/disconnect", "data/delete",
	}
	for _, role := range []string{"Viewer", "Editor", "None", ""} {
		for _, route := range routes {
			answer := w.plugin.call(t, oura.as(role), http.MethodPost, route, map[string]any{})
			if answer.Code != http.StatusForbidden || answer.field("error", "code") != "admin_only" {
				t.Errorf("%q POST %s: %d %s", role, route, answer.Code, answer.Body)
			}
		}
		answer := w.plugin.call(t, oura.as(role), http.MethodGet, "status", nil)
		if answer.Code != http.StatusOK {
			t.Errorf("%q GET status: %d %s", role, answer.Code, answer.Body)
		}
	}
}

func TestInvalidRequestIsAnErrorInJSON(t *testing.T) {
	w := theWorld(t)
	numericHost := "http://127.0.0.1:3000/connections/datasources/edit/oura"
	for _, wrong := range []struct {
		method, url string
		body        any
		code        int32
	}{
		{http.MethodGet, "nowhere", nil, 404},
		{http.MethodGet, "sql", nil, 405},
		{http.MethodPost, "sql", []int{1}, 400},
		{http.MethodPost, "sql", map[string]string{"sql": strings.Repeat("x", 2<<20)}, 413},
		{http.MethodPost, "sql", map[string]string{"sql": "SELECT * FROM nothing"}, 400},
		{http.MethodGet, "coverage?from=yesterday", nil, 400},
		{http.MethodGet, "coverage?collection=sleeep", nil, 404},
		{http.MethodPost, "backfill?days=three", map[string]any{}, 400},
		{http.MethodPost, "backfill", map[string]any{"days": 3, "resources": []string{"nothing"}}, 400},
		{http.MethodPost, "oauth/start", map[string]string{"redirectUri": "https://evil.example/"}, 400},
		{http.MethodPost, "oauth/start", map[string]string{"redirectUri": numericHost}, 400},
		{http.MethodPost, "oauth/callback", map[string]string{"code": "x", "state": "forged"}, 400},
		{http.MethodPost, "oauth/callback", map[string]string{"error": "access_denied"}, 400},
		{http.MethodPost, "data/delete", map[string]string{"confirm": "other"}, 400},
		{http.MethodGet, "export?format=xls", nil, 400},
	} {
		answer := w.plugin.call(t, oura, wrong.method, wrong.url, wrong.body)
		message, _ := answer.field("error", "message").(string)
		hint, _ := answer.field("error", "hint").(string)
		if answer.Code != wrong.code || message == "" || hint == "" {
			t.Errorf("%s %s: %d %s", wrong.method, wrong.url, answer.Code, answer.Body)
		}
	}
}

func TestRequestOfAnotherSiteIsRejected(t *testing.T) {
	w := theWorld(t)
	form := contentType("application/x-www-form-urlencoded")
	text := contentType("text/plain")
	for _, headers := range []map[string]*pluginv2.StringList{form, text, nil} {
		for _, route := range []string{"sync", "backfill?days=3", "oauth/disconnect", "data/delete"} {
			request := &pluginv2.CallResourceRequest{
				PluginContext: oura.context(),
				Method:        http.MethodPost,
				Path:          route,
				Url:           route,
				Headers:       headers,
			}
			stream, err := w.plugin.resources.CallResource(context.Background(), request)
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := stream.Recv(); err != nil || answer.Code != http.StatusUnsupportedMediaType {
				t.Errorf("%s with %v: %v %v", route, headers, answer, err)
			}
		}
	}
}

func TestSQLOverHTTPReturnsTypedRows(t *testing.T) {
	w := theWorld(t)
	query := map[string]any{
		"sql":    "SELECT time, day, average_hrv FROM nights WHERE day >= ?1 ORDER BY day LIMIT 2",
		"params": []string{"2000-01-01"},
	}
	answer := w.plugin.call(t, oura.as("Viewer"), http.MethodPost, "sql", query)
	var got struct {
		Columns []struct{ Name, Type string }
		Rows    [][]any
	}
	err := json.Unmarshal(answer.Body, &got)
	if err != nil || len(got.Rows) != 2 || len(got.Columns) != 3 {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	if got.Columns[0].Type != "time" || got.Columns[1].Type != "string" {
		t.Errorf("%+v", got.Columns)
	}
}

func TestSchemaListsTablesAndMacros(t *testing.T) {
	w := theWorld(t)
	answer := w.plugin.call(t, oura.as("Viewer"), http.MethodGet, "schema", nil)
	var schema struct {
		Tables []struct {
			Name    string
			Columns []struct{ Name, Type string }
		}
		Macros []struct{ Name string }
	}
	err := json.Unmarshal(answer.Body, &schema)
	if err != nil || len(schema.Tables) < 19 || len(schema.Macros) == 0 {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	for _, table := range schema.Tables {
		if len(table.Columns) == 0 {
			t.Errorf("%s has no columns", table.Name)
		}
	}
}

func TestExportIsADatabase(t *testing.T) {
	w := theWorld(t)
	refused := w.plugin.call(t, oura.as("Viewer"), http.MethodGet, "export", nil)
	if refused.Code != http.StatusForbidden {
		t.Errorf("a Viewer exported the database: %d", refused.Code)
	}
	answer := w.plugin.call(t, oura, http.MethodGet, "export", nil)
	isDatabase := bytes.HasPrefix(answer.Body, []byte("SQLite format 3\x00"))
	if answer.Code != http.StatusOK || !isDatabase || len(answer.Body) < 1<<20 {
		t.Errorf("%d, %d bytes", answer.Code, len(answer.Body))
	}
	if left, _ := filepath.Glob(filepath.Join(oura.folder(w.folder), "export-*")); len(left) != 0 {
		t.Errorf("not deleted: %v", left)
	}
}

func TestCoverageIsFilteredByCollection(t *testing.T) {
	w := theWorld(t)
	answer := w.plugin.call(t, oura, http.MethodGet, "coverage?collection=sleep", nil)
	rows, _ := answer.field("coverage").([]any)
	if len(rows) < days {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	for _, row := range rows {
		if row.(map[string]any)["collection"] != "sleep" {
			t.Errorf("%v", row)
		}
	}
}

func TestOrganisationsAreSeparate(t *testing.T) {
	w := theWorld(t)
	other := Datasource{Org: 2, UID: oura.UID, Role: "Admin"}
	status := w.plugin.call(t, other, http.MethodGet, "status", nil)
	if status.field("state") != "not_connected" {
		t.Errorf("%d %s", status.Code, status.Body)
	}
	responses := w.plugin.query(t, other, sql("A", "table", "SELECT day FROM sleep"))
	if rows := rowsOf(t, responses["A"]); rows != 0 {
		t.Errorf("%d nights of another person", rows)
	}
	for _, source := range []Datasource{oura, other} {
		if _, err := os.Stat(filepath.Join(source.folder(w.folder), "oura.db")); err != nil {
			t.Error(err)
		}
	}
}

func TestCallWithoutADataSourceIsRejected(t *testing.T) {
	w := theWorld(t)
	request := &pluginv2.QueryDataRequest{
		PluginContext: &pluginv2.PluginContext{OrgId: 1, PluginId: pluginID},
		Queries:       []*pluginv2.DataQuery{sql("A", "table", "SELECT 1")},
	}
	response, err := w.plugin.data.QueryData(context.Background(), request)
	if err != nil || response.Responses["A"].Status != 400 || response.Responses["A"].Error == "" {
		t.Errorf("%v %v", response, err)
	}
}

func TestLogIsReadableByGrafana(t *testing.T) {
	w := theWorld(t)
	for line := range strings.Lines(w.plugin.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		// go-plugin logs a line that is not an entry as the message of an entry.
		if message, _ := entry["@message"].(string); strings.HasPrefix(message, "{") {
			t.Errorf("not an entry: %s", message)
		}
	}
}
