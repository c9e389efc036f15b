//go:build lake

package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside/tests/listening"
)

// token is the one of an admin of the server.
const token = "an-admin-token-of-the-drill"

// owner is a running `serve` over a data folder.
type owner struct {
	t       *testing.T
	origin  string
	command *exec.Cmd
}

// serve starts an owner with files that Litestream may write.
func serve(t *testing.T, data, oura string) *owner {
	t.Helper()
	port := freePort(t)
	command := exec.Command(os.Getenv("RINGSIDE_BINARY"), "serve", "--data-dir", data,
		"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--oura-url", oura, "--client-id", "drill")
	command.Env = append(os.Environ(), "RINGSIDE_ADMIN_TOKEN="+token, "OURA_CLIENT_SECRET=drill-secret",
		"GF_PLUGIN_ENCRYPTION_KEY=a key outside of the folder", "GF_PLUGIN_PAGE_CHECKSUMS=false")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	o := &owner{t, fmt.Sprintf("http://127.0.0.1:%d", port), command}
	t.Cleanup(o.kill)
	o.eventually("an answer", func() bool { return o.call(http.MethodGet, "status", nil) != nil })
	return o
}

// kill ends the process without a warning.
func (o *owner) kill() {
	_ = o.command.Process.Kill()
	_ = o.command.Wait()
}

// call returns the body of a successful response, or nil.
func (o *owner) call(method, path string, body any) map[string]any {
	text, _ := json.Marshal(body)
	request, err := http.NewRequest(method, o.origin+"/api/"+path, bytes.NewReader(text))
	if err != nil {
		o.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	var fields map[string]any
	if response.StatusCode/100 != 2 || json.Unmarshal(answer, &fields) != nil {
		o.t.Logf("%s %s: %d %s", method, path, response.StatusCode, answer)
		return nil
	}
	return fields
}

// eventually waits for a condition that nothing announces.
func (o *owner) eventually(event string, condition func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("did not happen: %s", event)
		}
	}
}

// counts returns the number of rows of some tables, and of the runs of one kind, as text.
func (o *owner) counts() string {
	sql := "SELECT (SELECT count(*) FROM heartrate) || ' ' || (SELECT count(*) FROM samples) || ' ' ||" +
		" (SELECT count(*) FROM oura_raw_documents) || ' ' || (SELECT count(*) FROM nights)"
	answer := o.call(http.MethodPost, "sql", map[string]string{"sql": sql})
	if answer == nil {
		return ""
	}
	return fmt.Sprint(answer["rows"])
}

// connect logs in as a person does, and waits for the history.
func (o *owner) connect() {
	o.t.Helper()
	page := map[string]string{"redirectUri": strings.Replace(o.origin, "127.0.0.1", "localhost", 1) + "/oauth/callback"}
	start := o.call(http.MethodPost, "oauth/start", page)
	if start == nil {
		o.t.Fatal("the login does not start")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	response, err := client.Get(start["authorizeUrl"].(string) + "&auto=1")
	if err != nil {
		o.t.Fatal(err)
	}
	_ = response.Body.Close()
	back, err := url.Parse(response.Header.Get("Location"))
	if err != nil {
		o.t.Fatal(err)
	}
	answer := map[string]string{"code": back.Query().Get("code"), "state": back.Query().Get("state")}
	if o.call(http.MethodPost, "oauth/callback", answer) == nil {
		o.t.Fatalf("the login fails at %s", back)
	}
	o.sync()
}

// sync waits until a new run is done.
func (o *owner) sync() {
	o.t.Helper()
	_ = o.call(http.MethodPost, "sync", struct{}{})
	sql := map[string]string{"sql": "SELECT state FROM sync_runs ORDER BY run DESC LIMIT 1"}
	o.eventually("a complete run", func() bool {
		answer := o.call(http.MethodPost, "sql", sql)
		return answer != nil && fmt.Sprint(answer["rows"]) == "[[done]]"
	})
}

// TestFailover is the drill of docs/scale.md: an owner with Litestream, both killed, restored from S3 into an
// empty folder. DRILL_DAYS sets the length of the history.
func TestFailover(t *testing.T) {
	w := startServer(t)
	days := os.Getenv("DRILL_DAYS")
	if days == "" {
		days = "30"
	}
	oura := simulate(t, days)
	folder := t.TempDir()
	data, restored := filepath.Join(folder, "data"), filepath.Join(folder, "restored")
	first := serve(t, data, oura)
	first.connect()

	config := filepath.Join(folder, "litestream.yml")
	text := fmt.Sprintf(`dbs:
  - dir: %s
    pattern: "*.db"
    recursive: true
    watch: true
    replica:
      url: s3://bucket/ringside
      endpoint: %s
      force-path-style: true
`, data, w.endpoint)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	litestream := w.litestream("replicate", "-config", config)
	litestream.Stderr, litestream.Stdout = os.Stderr, os.Stderr
	if err := litestream.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = litestream.Process.Kill()
		_ = litestream.Wait()
	})
	// A change after the first copy.
	first.eventually("the first copy", func() bool { return w.restore(restored) == nil })
	first.sync()
	rows := first.counts()
	runs := map[string]string{"sql": "SELECT max(run) FROM sync_runs WHERE state = 'done'"}
	wanted := fmt.Sprint(first.call(http.MethodPost, "sql", runs)["rows"])
	first.eventually("the last change in the copy", func() bool {
		if w.restore(restored) != nil {
			return false
		}
		query := exec.Command(python("python"), "-c", `import sqlite3, sys
print([list(row) for row in sqlite3.connect(sys.argv[1]).execute("SELECT max(run) FROM sync_runs WHERE state = 'done'")])`,
			filepath.Join(restored, "1", "oura", "oura.db"))
		output, err := query.Output()
		return err == nil && strings.TrimSpace(string(output)) == wanted
	})
	first.kill()
	_ = litestream.Process.Kill()

	started := time.Now()
	if err := w.restore(restored); err != nil {
		t.Fatal(err)
	}
	copied := time.Since(started)
	second := serve(t, restored, oura)
	if found := second.counts(); found != rows {
		t.Errorf("%s rows instead of %s", found, rows)
	}
	answered := time.Since(started)
	info, err := os.Stat(filepath.Join(restored, "1", "oura", "oura.db"))
	if err != nil {
		t.Fatal(err)
	}
	second.sync()
	state := second.call(http.MethodGet, "status", nil)
	if connection, _ := json.Marshal(state); !strings.Contains(string(connection), `"connected"`) {
		t.Errorf("not connected: %s", connection)
	}
	t.Logf("%d MB restored in %v, the first answer after %v, the login continues", info.Size()>>20, copied, answered)
}

// litestream is a command of Litestream.
func (w *world) litestream(arguments ...string) *exec.Cmd {
	command := w.environment(exec.Command(python("litestream"), arguments...))
	// Litestream's own HTTP client cannot add authorities.
	command.Env = slices.DeleteFunc(command.Env, func(variable string) bool {
		return strings.HasPrefix(variable, "AWS_CA_BUNDLE=")
	})
	return command
}

// restore replaces a data folder by the copy in S3.
func (w *world) restore(data string) error {
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	for _, file := range []string{"vault.db", filepath.Join("1", "oura", "oura.db")} {
		path := filepath.Join(data, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		replica := fmt.Sprintf("s3://bucket/ringside/%s?endpoint=%s&forcePathStyle=true", file, url.QueryEscape(w.endpoint))
		command := w.litestream("restore", "-o", path, replica)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
	}
	return nil
}

// simulate starts a simulated Oura that allows every login, and returns its address.
func simulate(t *testing.T, days string) string {
	t.Helper()
	command := exec.Command(os.Getenv("RINGSIDE_BINARY"), "simulate", "--allow", "--days", days,
		"--client-id", "drill")
	command.Env = append(os.Environ(), "OURA_CLIENT_SECRET=drill-secret")
	t.Cleanup(func() {
		if command.Process != nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	address, err := listening.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	return address
}
