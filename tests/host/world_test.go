package host

import (
	"bufio"
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
)

const (
	clientID = "host-test"
	// clientSecret begins as all secrets of the simulator do, codes and tokens too: none of them may be heard.
	clientSecret = "simulated-secret"
	// days is how much of a life the simulator makes up.
	days = 90
)

// oura is the data source that most tests ask.
var oura = Datasource{Org: 1, UID: "oura", Role: "Admin"}

// world is a simulator and a plugin that has loaded everything from it; made once, when the first test needs it.
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
	return await(func() (bool, error) {
		status, err := w.plugin.resource(oura, http.MethodGet, "status", nil)
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

// simulate starts Oura's double, who allows every login, and returns its address.
func simulate(arguments ...string) (*exec.Cmd, string, error) {
	command := exec.Command(binary, append([]string{"simulate", "--listen", "127.0.0.1:0", "--allow"}, arguments...)...)
	command.Env = []string{"OURA_CLIENT_ID=" + clientID, "OURA_CLIENT_SECRET=" + clientSecret}
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := command.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return command, "", fmt.Errorf("the simulator says nothing: %w", err)
	}
	return command, strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), nil
}

// simulated is the address of a double that a test has for itself.
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

// connected is a plugin in a data folder of its own, logged in at a double of its own that makes up so many days; its first sync goes on.
func connected(t *testing.T, days int) (origin, dataDir string, p *Plugin) {
	t.Helper()
	origin, dataDir = simulated(t, "--days", fmt.Sprint(days)), t.TempDir()
	p = launch(t, dataDir, origin)
	if err := connect(p, oura); err != nil {
		t.Fatal(err)
	}
	return origin, dataDir, p
}

// connect logs in as a person does: Connect, Allow, and back to the data source's page.
func connect(p *Plugin, source Datasource) error {
	page := "http://grafana.localhost:3000/connections/datasources/edit/" + source.UID
	start, err := p.resource(source, http.MethodPost, "oauth/start", map[string]string{"redirectUri": page})
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
		return fmt.Errorf("the login came back to %s", back)
	}
	keepSecret("state", back.Query().Get("state"))
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

// allow follows an authorize address to where the browser is sent back to.
func allow(authorize string) (*url.URL, error) {
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := browser.Get(authorize)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return response.Location()
}

// await asks until the answer is yes.
func await(done func() (bool, error)) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok, err := done(); ok || err != nil {
			return err
		}
	}
	return errors.New("it did not happen within a minute")
}
