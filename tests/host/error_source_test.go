package host

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// checkErrorSource reads a failed response as Grafana does.
func checkErrorSource(
	t *testing.T, response *pluginv2.DataResponse, status int32, expected backend.ErrorSource,
) {
	t.Helper()
	source := backend.ErrorSource(response.GetErrorSource())
	if response.GetError() == "" || response.GetStatus() != status || source != expected {
		t.Errorf("status %d, source %q, error %q", response.GetStatus(), source, response.GetError())
	}
}

func TestQueryMistakeIsDownstream(t *testing.T) {
	p := launch(t, t.TempDir(), unreachable)
	responses := p.query(t, oura,
		sql("syntax", "table", "SELECT FROM WHERE"),
		sql("name", "table", "SELECT nothing FROM sleep"),
		sql("write", "table", "DELETE FROM sleep"),
		overEverything("json", []byte(`{"queryType": "poetry"}`)),
		sql("valid", "table", "SELECT 1 AS one"),
	)
	checkErrorSource(t, responses["syntax"], 400, backend.ErrorSourceDownstream)
	checkErrorSource(t, responses["name"], 400, backend.ErrorSourceDownstream)
	checkErrorSource(t, responses["write"], 400, backend.ErrorSourceDownstream)
	checkErrorSource(t, responses["json"], 400, backend.ErrorSourceDownstream)
	if valid := responses["valid"]; valid.GetErrorSource() != "" || rowsOf(t, valid) != 1 {
		t.Errorf("a valid query has the source %q", valid.GetErrorSource())
	}
}

// Queries read stored data, so they succeed during an outage of Oura. A login fails.
func TestOuraOutageIsDownstream(t *testing.T) {
	p := launch(t, t.TempDir(), unreachable)
	page := "http://grafana.localhost:3000/connections/datasources/edit/" + oura.UID
	start := p.call(t, oura, http.MethodPost, "oauth/start", map[string]string{"redirectUri": page})
	authorize, _ := start.field("authorizeUrl").(string)
	address, err := url.Parse(authorize)
	if err != nil || authorize == "" {
		t.Fatalf("%d %s", start.Code, start.Body)
	}
	callback := map[string]string{"code": "any", "state": address.Query().Get("state")}
	login := p.call(t, oura, http.MethodPost, "oauth/callback", callback)
	source, _ := login.field("error", "source").(string)
	if login.Code != 502 || backend.ErrorSource(source) != backend.ErrorSourceDownstream {
		t.Errorf("%d %s", login.Code, login.Body)
	}
	stored := p.query(t, oura, sql("A", "table", "SELECT count(*) AS days FROM days"))["A"]
	if stored.GetErrorSource() != "" || rowsOf(t, stored) != 1 {
		t.Errorf("a query during an outage has the source %q", stored.GetErrorSource())
	}
}

func TestDamagedDatabaseIsFailureOfPlugin(t *testing.T) {
	dataDir := t.TempDir()
	p := launch(t, dataDir, unreachable)
	documents := sql("A", "table", "SELECT * FROM oura_raw_documents")
	if rows := rowsOf(t, p.query(t, oura, documents)["A"]); rows != 0 {
		t.Fatalf("%d rows in a new database", rows)
	}
	database := filepath.Join(oura.folder(dataDir), "oura.db")
	content, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	for at := range content {
		content[at] = 0xa5
	}
	if err := os.WriteFile(database, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(database+"-wal", 0); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	// SQLite has the pages of the first query in memory. This one reads from the file.
	heartRate := sql("A", "table", "SELECT * FROM heartrate")
	checkErrorSource(t, p.query(t, oura, heartRate)["A"], 500, backend.ErrorSourcePlugin)
}
