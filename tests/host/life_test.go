package host

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// parentVariable makes the test binary act as a Grafana that is about to be killed: it starts the
// plugin and waits.
const parentVariable = "RINGSIDE_TEST_PARENT_OF_PLUGIN"

func parentOfPlugin() bool {
	dataDir := os.Getenv(parentVariable)
	if dataDir == "" {
		return false
	}
	command := exec.Command(binary)
	command.Env = append(environment(dataDir, unreachable), magicCookie)
	command.Stdout = os.Stdout
	if err := command.Run(); err != nil {
		fmt.Println(err)
	}
	return true
}

// socketOf reads the path of the socket from a handshake.
func socketOf(t *testing.T, handshake string) string {
	t.Helper()
	parts := strings.Split(strings.TrimSpace(handshake), "|")
	if len(parts) < 5 || parts[2] != "unix" || parts[4] != "grpc" {
		t.Fatalf("handshake %q", handshake)
	}
	return parts[3]
}

func isGone(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}

func TestPluginExitsOnShutdown(t *testing.T) {
	p := launch(t, t.TempDir(), unreachable)
	socket := p.ReattachConfig().Addr.String()
	if info, err := os.Stat(filepath.Dir(socket)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the socket: %v %v", info, err)
	}
	p.Kill()
	if !p.Exited() || !isGone(socket) {
		t.Error("the plugin was killed, or left its socket behind")
	}
	if strings.Contains(p.log.String(), "plugin failed to exit gracefully") {
		t.Error("the plugin had to be killed")
	}
}

func TestPluginExitsWhenGrafanaIsKilled(t *testing.T) {
	direct(t)
	parent := exec.Command(os.Args[0])
	dataDir := t.TempDir()
	parent.Env = append(os.Environ(), parentVariable+"="+dataDir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	socket := socketOf(t, line)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	if err := await(func() (bool, error) { return isGone(socket), nil }); err != nil {
		t.Error("the orphan is still running")
	}
	// Its data folder is free again.
	status := launch(t, dataDir, unreachable).call(t, oura, http.MethodGet, "status", nil)
	if status.Code != http.StatusOK {
		t.Errorf("%d %s", status.Code, status.Body)
	}
}

func TestOrphanFromTheStartExitsWithItsReader(t *testing.T) {
	direct(t)
	// The plugin starts when the shell before it has exited: its input ends only then.
	ended, started, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", `(read line <&3; exec "$0" 3<&-) &`, binary)
	shell.ExtraFiles = []*os.File{ended}
	shell.Env = append(environment(t.TempDir(), unreachable), "PATH="+os.Getenv("PATH"), magicCookie)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stdout = in
	if err := shell.Run(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []*os.File{in, ended, started} {
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	socket := socketOf(t, line)
	// Time for several of the plugin's checks, which all must find its output read.
	time.Sleep(2 * time.Second)
	if isGone(socket) {
		t.Fatal("the plugin exited although its output is read")
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := await(func() (bool, error) { return isGone(socket), nil }); err != nil {
		t.Error("the orphan is still running")
	}
}

func TestPluginIgnoresAnInterruptFromTheTerminal(t *testing.T) {
	p := launch(t, t.TempDir(), unreachable)
	if err := syscall.Kill(p.ReattachConfig().Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := p.call(t, oura, http.MethodGet, "status", nil); status.Code != http.StatusOK {
		t.Errorf("%d %s", status.Code, status.Body)
	}
}

func TestSecondProcessOnADataFolderWaitsForTheFirst(t *testing.T) {
	direct(t)
	dataDir := t.TempDir()
	first := launch(t, dataDir, unreachable)
	if status := first.call(t, oura, http.MethodGet, "status", nil); status.Code != http.StatusOK {
		t.Fatalf("%d %s", status.Code, status.Body)
	}
	second := launch(t, dataDir, unreachable)
	refused := second.call(t, oura, http.MethodGet, "status", nil)
	if refused.Code != http.StatusServiceUnavailable ||
		refused.field("error", "code") != "data_folder_locked" {
		t.Errorf("%d %s", refused.Code, refused.Body)
	}
	first.Kill()
	err := await(func() (bool, error) {
		status, err := second.resource(oura, http.MethodGet, "status", nil)
		return status.Code == http.StatusOK, err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestReadOnlyFolderIsServedWithANotice(t *testing.T) {
	direct(t)
	origin, dataDir, before := connected(t, 10)
	state := func(p *Plugin) (bool, error) {
		status, err := p.resource(oura, http.MethodGet, "status", nil)
		return status.field("state") == "connected" && status.field("sync", "running") == false, err
	}
	if err := await(func() (bool, error) { return state(before) }); err != nil {
		t.Fatal(err)
	}
	before.Kill()

	mode := func(change string) {
		if out, err := exec.Command("chmod", "-R", change, dataDir).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	mode("a-w")
	t.Cleanup(func() { mode("u+w") })
	p, err := startAs(boundByPermissions(binary), environment(dataDir, origin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	response := p.query(t, oura, sql("A", "table", "SELECT day FROM daily_activity"))["A"]
	if rows := rowsOf(t, response); rows < 9 {
		t.Errorf("%d days", rows)
	}
	meta := decode(t, response)[0].Meta
	if meta == nil || len(meta.Notices) == 0 || !strings.Contains(meta.Notices[0].Text, dataDir) {
		t.Errorf("no notice: %+v", meta)
	}
	health := p.health(t, oura)
	if health.Status != pluginv2.CheckHealthResponse_ERROR ||
		!strings.Contains(health.Message, dataDir+" cannot be written") {
		t.Errorf("%v %s", health.Status, health.Message)
	}
	status := p.call(t, oura, http.MethodGet, "status", nil)
	if reason, _ := status.field("reason").(string); !strings.Contains(reason, "Syncing is off") {
		t.Errorf("%d %s", status.Code, status.Body)
	}
	page := map[string]any{"redirectUri": "https://grafana.example/connections/datasources/edit/oura"}
	for route, body := range map[string]map[string]any{
		"sync":             {},
		"backfill?days=3":  {},
		"oauth/start":      page,
		"oauth/disconnect": {},
		"data/delete":      {"confirm": "oura"},
	} {
		refused := p.call(t, oura, http.MethodPost, route, body)
		if refused.Code != http.StatusServiceUnavailable ||
			refused.field("error", "code") != "data_folder_read_only" {
			t.Errorf("%s: %d %s", route, refused.Code, refused.Body)
		}
	}
	unknown := Datasource{Org: 1, UID: "new", Role: "Admin"}
	other := p.query(t, unknown, sql("A", "table", "SELECT 1"))["A"]
	if other.Status != http.StatusServiceUnavailable || !strings.Contains(other.Error, dataDir) {
		t.Errorf("%d %s", other.Status, other.Error)
	}

	mode("u+w")
	if err := await(func() (bool, error) { return state(p) }); err != nil {
		t.Errorf("the plugin does not recover in the writable folder: %v", err)
	}
}

// boundByPermissions is a command that file permissions bind, even if root runs it.
func boundByPermissions(program string) *exec.Cmd {
	if os.Getuid() != 0 {
		return exec.Command(program)
	}
	return exec.Command("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--", program)
}

func TestInvalidOperatorSettingIsAnErrorResponse(t *testing.T) {
	direct(t)
	p, err := start(append(environment(t.TempDir(), unreachable), "GF_PLUGIN_QUERY_TIMEOUT=soon"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	response := p.query(t, oura, sql("A", "table", "SELECT 1"))["A"]
	if response.Status != 503 || !strings.Contains(response.Error, "GF_PLUGIN_QUERY_TIMEOUT") {
		t.Errorf("%d %s", response.Status, response.Error)
	}
}

func TestHistoryLoadContinuesAfterARestart(t *testing.T) {
	direct(t)
	origin, dataDir, first := connected(t, days)
	before := first.metric(t, "ringside_documents")
	if err := syscall.Kill(first.ReattachConfig().Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	// Reading metrics opens no data source.
	second := launch(t, dataDir, origin)
	err := await(func() (bool, error) {
		running := second.metric(t, "ringside_sync_running")
		return second.metric(t, "ringside_documents") > before && running == 0, nil
	})
	if err != nil {
		now := second.metric(t, "ringside_documents")
		t.Errorf("%v; before %v, now %v\n%s", err, before, now, second.log)
	}
}

// metric reads a gauge of the data source from the plugin's metrics, summed over its other labels.
// Returns -1 for a missing gauge.
func (p *Plugin) metric(t *testing.T, name string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	metrics, err := p.diagnostics.CollectMetrics(ctx, &pluginv2.CollectMetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^` + name + `\{` + oura.labels() + `[^}]*\} (\S+)$`)
	found := line.FindAllSubmatch(metrics.Metrics.Prometheus, -1)
	if found == nil {
		return -1
	}
	sum := 0.0
	for _, sample := range found {
		value, err := strconv.ParseFloat(string(sample[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}
