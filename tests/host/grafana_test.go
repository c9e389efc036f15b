package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// grafana is a running Grafana with this plugin, and the credentials of one of its callers.
type grafana struct {
	address string
	// user and password, or a token
	user, password, token string
}

// realGrafana returns the Grafana at GRAFANA_URL as its administrator. Without it, the test is
// skipped. GRAFANA_ADMIN has user and password, admin:admin by default.
func realGrafana(t *testing.T) grafana {
	t.Helper()
	address := strings.TrimSuffix(os.Getenv("GRAFANA_URL"), "/")
	if address == "" {
		t.Skip("skipped: GRAFANA_URL names no running Grafana with this plugin")
	}
	user, password, ok := strings.Cut(os.Getenv("GRAFANA_ADMIN"), ":")
	if !ok {
		user, password = "admin", "admin"
	}
	return grafana{address: address, user: user, password: password}
}

// grafanaAnswer is a response of Grafana.
type grafanaAnswer struct {
	status int
	header http.Header
	body   []byte
}

func (a grafanaAnswer) field(names ...string) any { return fieldOf(a.body, names...) }

// send sends a request with a body of JSON, or without one if it is nil.
func (g grafana) send(t *testing.T, method, path, accept string, body any) grafanaAnswer {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, g.address+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	switch {
	case g.token != "":
		request.Header.Set("Authorization", "Bearer "+g.token)
	case g.user != "":
		request.SetBasicAuth(g.user, g.password)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return grafanaAnswer{response.StatusCode, response.Header, text}
}

// must sends a request that has to succeed.
func (g grafana) must(t *testing.T, method, path string, body any) grafanaAnswer {
	t.Helper()
	answer := g.send(t, method, path, "", body)
	if answer.status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, answer.status, answer.body)
	}
	return answer
}

// serviceAccount creates a service account with a role until the end of the test. Returns Grafana
// as this account meets it, by a token.
func (g grafana) serviceAccount(t *testing.T, role string) grafana {
	t.Helper()
	name := fmt.Sprintf("ringside-%s-%d", strings.ToLower(role), time.Now().UnixNano())
	account := g.must(t, "POST", "/api/serviceaccounts",
		map[string]any{"name": name, "role": role}).field("id")
	path := fmt.Sprintf("/api/serviceaccounts/%.0f", account)
	t.Cleanup(func() { g.must(t, "DELETE", path, nil) })
	token := g.must(t, "POST", path+"/tokens", map[string]any{"name": name}).field("key")
	return grafana{address: g.address, token: token.(string)}
}

// TestServiceAccounts uses the routes in a real Grafana with the tokens of service accounts: a
// Viewer reads, an Admin also changes, and callers without a valid token do neither.
func TestServiceAccounts(t *testing.T) {
	admin := realGrafana(t)
	created := admin.must(t, "POST", "/api/datasources", map[string]any{
		"name": fmt.Sprintf("Service accounts %d", time.Now().UnixNano()),
		"type": "ringside-oura-datasource", "access": "proxy",
		"jsonData": map[string]any{
			"demo": true, "historyStart": time.Now().AddDate(0, 0, -60).Format(time.DateOnly),
		},
	})
	uid := created.field("datasource", "uid").(string)
	t.Cleanup(func() {
		confirm := map[string]any{"confirm": uid}
		admin.must(t, "POST", "/api/datasources/uid/"+uid+"/resources/data/delete", confirm)
		admin.must(t, "DELETE", "/api/datasources/uid/"+uid, nil)
	})
	resources := "/api/datasources/uid/" + uid + "/resources"
	err := await(func() (bool, error) {
		status := admin.must(t, "GET", resources+"/status", nil)
		return status.field("sync", "running") == false && status.field("sync", "percent") == 100.0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	viewer := admin.serviceAccount(t, "Viewer")
	editor := admin.serviceAccount(t, "Editor")
	administrator := admin.serviceAccount(t, "Admin")

	query := map[string]any{
		"sql":    "SELECT count(*) AS nights, max(?) AS given FROM nights",
		"params": []any{"it's"},
	}
	forms := []struct{ accept, contentType string }{
		{"application/json", "application/json"},
		{"application/x-ndjson", "application/x-ndjson"},
		{"text/csv", "text/csv"},
		{"application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"},
	}
	readers := map[string]grafana{"Viewer": viewer, "Editor": editor, "Admin": administrator}
	for role, reader := range readers {
		for _, form := range forms {
			answer := reader.send(t, "POST", resources+"/sql", form.accept, query)
			contentType := strings.Split(answer.header.Get("Content-Type"), ";")[0]
			if answer.status != 200 || contentType != form.contentType {
				t.Errorf("%s reads %s: %d %s", role, form.accept, answer.status, answer.body)
			}
			t.Logf("%-6s %-36s %d, %d bytes", role, form.accept, answer.status, len(answer.body))
		}
		rows := reader.send(t, "POST", resources+"/sql?rows=objects", "", query)
		results, _ := rows.field("results").([]any)
		if len(results) != 1 {
			t.Fatalf("%s reads: %d %s", role, rows.status, rows.body)
		}
		row := results[0].(map[string]any)
		if nights, _ := row["nights"].(float64); nights < 30 || row["given"] != "it's" {
			t.Errorf("%s reads other rows: %s", role, rows.body)
		}
		for _, path := range []string{"/status", "/schema", "/coverage?collection=sleep"} {
			if answer := reader.send(t, "GET", resources+path, "", nil); answer.status != 200 {
				t.Errorf("%s: GET %s: %d %s", role, path, answer.status, answer.body)
			}
		}
	}

	changes := []struct {
		method, path string
		body         any
		// status for an Admin
		status int
	}{
		{"POST", "/sync", map[string]any{}, 202},
		{"POST", "/backfill?days=3&resources=sleep", map[string]any{}, 202},
		{"GET", "/export", nil, 200},
		{"GET", "/export?format=csv&table=nights", nil, 200},
		{"POST", "/data/delete", map[string]any{"confirm": "another"}, 400},
		{"POST", "/data/repair", map[string]any{}, 409},
	}
	for _, change := range changes {
		for role, reader := range map[string]grafana{"Viewer": viewer, "Editor": editor} {
			answer := reader.send(t, change.method, resources+change.path, "", change.body)
			hint, _ := answer.field("error", "hint").(string)
			code := answer.field("error", "code")
			if answer.status != 403 || code != "admin_only" || hint == "" {
				t.Errorf("%s: %s %s: %d %s", role, change.method, change.path, answer.status, answer.body)
			}
			t.Logf("%-6s %-4s %-36s %d %v", role, change.method, change.path, answer.status, code)
		}
		answer := administrator.send(t, change.method, resources+change.path, "", change.body)
		if answer.status != change.status {
			t.Errorf("Admin: %s %s: %d %s", change.method, change.path, answer.status, answer.body)
		}
		t.Logf("%-6s %-4s %-36s %d", "Admin", change.method, change.path, answer.status)
	}

	strangers := []grafana{{address: admin.address}, {address: admin.address, token: "glsa_other"}}
	for _, stranger := range strangers {
		if answer := stranger.send(t, "POST", resources+"/sql", "", query); answer.status != 401 {
			t.Errorf("without a valid token (turn anonymous access off): %d %s", answer.status, answer.body)
		}
	}
	t.Run("backfill.sh", func(t *testing.T) { backfillThroughGrafana(t, resources, administrator, viewer) })
}

// backfillThroughGrafana runs the script of the documents with the tokens of service accounts.
func backfillThroughGrafana(t *testing.T, resources string, admin, viewer grafana) {
	script, err := filepath.Abs("../../scripts/backfill.sh")
	if err != nil {
		t.Fatal(err)
	}
	backfill := func(caller grafana) (string, error) {
		state := filepath.Join(t.TempDir(), "state")
		command := exec.Command("sh", script, "--days", "40", "--step", "20", "--resources",
			"sleep,daily_sleep", "--state", state)
		command.Env = append(os.Environ(), "RINGSIDE_URL="+caller.address+resources,
			"RINGSIDE_TOKEN="+caller.token, "POLL_SECONDS=1")
		output, err := command.CombinedOutput()
		return string(output), err
	}
	output, err := backfill(admin)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	steps := []string{"20 of 40 days", "40 of 40 days", "Done"}
	done := slices.EqualFunc(lines, steps, strings.HasPrefix)
	if err != nil || !done {
		t.Errorf("%v: %s", err, output)
	}
	t.Log(output)
	output, err = backfill(viewer)
	if err == nil || !strings.Contains(output, "answered 403") || !strings.Contains(output, "hint") {
		t.Errorf("%v: %s", err, output)
	}
	t.Log(output)
}
