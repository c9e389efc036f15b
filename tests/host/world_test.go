package host

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringside/tests/listening"
)

const (
	clientID = "host-test"
	// clientSecret begins as all secrets of the simulator do, including codes and tokens. The
	// plugin must not write any of them.
	clientSecret = "simulated-secret"
	// unreachable is the URL of an Oura for plugins that never need one.
	unreachable = "http://127.0.0.1:9"
	// days is the length of the simulated history. The panel Long run shows metrics of 90 days, and
	// some days have no data.
	days = 120
)

// oura is the data source of most tests.
var oura = Datasource{Org: 1, UID: "oura", Role: "Admin"}

// world is a simulator and a plugin that has loaded its whole history. The first test that needs it
// starts it.
type world struct {
	once      sync.Once
	err       error
	folder    string
	simulator *exec.Cmd
	origin    string
	plugin    *Plugin
}

var shared world

func theWorld(t *testing.T) *world {
	t.Helper()
	shared.once.Do(func() { shared.err = shared.make() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return &shared
}

func (w *world) make() (err error) {
	if w.folder, err = os.MkdirTemp("", "ringside-host-"); err != nil {
		return err
	}
	if w.simulator, w.origin, err = simulate("--days", fmt.Sprint(days)); err != nil {
		return err
	}
	if w.plugin, err = start(environment(w.folder, w.origin)); err != nil {
		return err
	}
	if err = connect(w.plugin, oura); err != nil {
		return err
	}
	return awaitHistory(w.plugin, oura)
}

// awaitHistory polls until a data source has its whole history.
func awaitHistory(p *Plugin, source Datasource) error {
	return await(func() (bool, error) {
		status, err := p.resource(source, http.MethodGet, "status", nil)
		return status.field("sync", "running") == false && status.field("sync", "percent") == 100.0, err
	})
}

func (w *world) close() {
	if w.plugin != nil {
		w.plugin.Kill()
	}
	if w.simulator != nil {
		_ = w.simulator.Process.Signal(syscall.SIGINT)
		_ = w.simulator.Wait()
	}
	if w.folder != "" {
		_ = os.RemoveAll(w.folder)
	}
}

// simulate starts a simulated Oura that allows every login, and returns its URL.
func simulate(arguments ...string) (*exec.Cmd, string, error) {
	return simulateWith(append([]string{"--allow"}, arguments...))
}

// simulateWith is simulate with a consent page, unless the arguments allow every login.
func simulateWith(arguments []string) (*exec.Cmd, string, error) {
	arguments = append([]string{"simulate", "--listen", "127.0.0.1:0"}, arguments...)
	command := exec.Command(binary, arguments...)
	command.Env = []string{"OURA_CLIENT_ID=" + clientID, "OURA_CLIENT_SECRET=" + clientSecret}
	command.Stderr = os.Stderr
	origin, err := listening.Start(command)
	return command, origin, err
}

// simulated is the URL of a simulated Oura for one test.
func simulated(tb testing.TB, arguments ...string) string {
	tb.Helper()
	simulator, origin, err := simulate(arguments...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = simulator.Process.Signal(syscall.SIGINT)
		_ = simulator.Wait()
	})
	return origin
}

// connected is a logged-in plugin with its own data folder and its own simulated Oura, which has a
// history of days. Its first sync is under way.
func connected(t *testing.T, days int) (origin, dataDir string, p *Plugin) {
	t.Helper()
	origin, dataDir = simulated(t, "--days", fmt.Sprint(days)), t.TempDir()
	p = launch(t, dataDir, origin)
	if err := connect(p, oura); err != nil {
		t.Fatal(err)
	}
	return origin, dataDir, p
}

// connect logs in as a person does: Connect, Allow, and the redirect to the data source's page.
func connect(p *Plugin, source Datasource) error {
	page := "http://grafana.localhost:3000/connections/datasources/edit/" + source.UID
	body := map[string]string{"redirectUri": page}
	start, err := p.resource(source, http.MethodPost, "oauth/start", body)
	if err != nil {
		return err
	}
	authorize, ok := start.field("authorizeUrl").(string)
	if !ok {
		return fmt.Errorf("oauth/start: %d %s", start.Code, start.Body)
	}
	back, err := allow(authorize)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(back.String(), page) {
		return fmt.Errorf("the login redirects to %s", back)
	}
	addSecret("state", back.Query().Get("state"))
	answer := map[string]string{"code": back.Query().Get("code"), "state": back.Query().Get("state")}
	callback, err := p.resource(source, http.MethodPost, "oauth/callback", answer)
	if err != nil {
		return err
	}
	if callback.field("state") != "connected" {
		return fmt.Errorf("oauth/callback: %d %s", callback.Code, callback.Body)
	}
	return nil
}

// allow opens an authorize URL and returns the URL that the browser is redirected to.
func allow(authorize string) (*url.URL, error) {
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	response, err := browser.Get(authorize)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return response.Location()
}

// await polls until done returns true.
func await(done func() (bool, error)) error {
	deadline := time.Now().Add(3 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok, err := done(); ok || err != nil {
			return err
		}
	}
	return errors.New("the condition does not hold within three minutes")
}
