//go:build httpbench

package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// million selects 1,000,000 heart rates.
const million = "SELECT time, source, bpm FROM heartrate ORDER BY time LIMIT 1000000"

// oneRow selects one row by its day.
const oneRow = "SELECT day, score FROM daily_sleep ORDER BY day DESC LIMIT 1"

// TestHTTPFigures prints the figures of docs/performance.md about HTTP and exports. It needs three
// years of the synthetic person, which it makes, and compares with Datasette if `datasette` is in
// the PATH.
func TestHTTPFigures(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	run(t, exec.Command(binary, "demo", "--days", "1096", "--repeat", "1", "--data-dir", folder))
	database := filepath.Join(folder, "1", "oura", "oura.db")

	t.Run("plugin", func(t *testing.T) { measurePlugin(t, copyFolder(t, folder)) })
	t.Run("forms", func(t *testing.T) { measureForms(t, folder) })
	t.Run("export", func(t *testing.T) { measureExport(t, folder) })
	t.Run("requests", func(t *testing.T) { measureRequests(t, folder, database) })
}

func copyFolder(t *testing.T, folder string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// processStatus is a value of /proc/<pid>/status in bytes.
func processStatus(t *testing.T, pid int, name string) int64 {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("memory is measured on Linux only: ", err)
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			kilobytes, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatal("no ", name)
	return 0
}

// measured is the median time of five calls, and the largest growth of the resident set.
func measured(t *testing.T, pid int, call func() (int64, error)) (time.Duration, int64, int64) {
	t.Helper()
	var times []time.Duration
	var growth, size int64
	for range 6 {
		before := processStatus(t, pid, "VmRSS")
		// Resets VmHWM.
		reset := fmt.Sprintf("/proc/%d/clear_refs", pid)
		if err := os.WriteFile(reset, []byte("5"), 0o200); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		bytes, err := call()
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(start))
		growth = max(growth, processStatus(t, pid, "VmHWM")-before)
		size = bytes
	}
	// Without the first call, which fills caches.
	times = times[1:]
	slices.Sort(times)
	return times[len(times)/2], growth, size
}

func report(t *testing.T, name string, took time.Duration, growth, size int64) {
	t.Logf("%-8s %7.0f ms  peak +%6.1f MB  %6.1f MB", name, took.Seconds()*1e3,
		float64(growth)/1e6, float64(size)/1e6)
}

// measurePlugin measures the frame of the same rows over gRPC.
func measurePlugin(t *testing.T, folder string) {
	plugin, err := start(append(environment(folder, "http://127.0.0.1:9/"),
		"GF_PLUGIN_LOG_LEVEL=error"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plugin.Kill)
	query, err := json.Marshal(map[string]string{"rawSql": million, "format": "table"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (int64, error) {
		request := &pluginv2.QueryDataRequest{
			PluginContext: Datasource{Org: 1, UID: "oura", Role: "Viewer"}.context(),
			Queries: []*pluginv2.DataQuery{{
				RefId: "A", Json: query, MaxDataPoints: 1000, IntervalMS: 60_000,
				TimeRange: &pluginv2.TimeRange{FromEpochMS: 0, ToEpochMS: 4e12},
			}},
		}
		answer, err := plugin.data.QueryData(context.Background(), request)
		if err != nil {
			return 0, err
		}
		var size int64
		for _, frame := range answer.Responses["A"].GetFrames() {
			size += int64(len(frame))
		}
		if size == 0 {
			return 0, fmt.Errorf("no frames: %s", answer.Responses["A"].GetError())
		}
		return size, nil
	}
	took, growth, size := measured(t, plugin.ReattachConfig().Pid, ask)
	report(t, "frame", took, growth, size)
}

// measureForms measures the forms of rows over HTTP.
func measureForms(t *testing.T, folder string) {
	address, process := serveFolder(t, folder)
	for _, form := range []struct{ name, accept string }{
		{"arrow", "application/vnd.apache.arrow.stream"},
		{"csv", "text/csv"},
		{"ndjson", "application/x-ndjson"},
		{"json", "application/json"},
	} {
		took, growth, size := measured(t, process.Pid, func() (int64, error) {
			return post(http.DefaultClient, address+"/api/sql", form.accept, million)
		})
		report(t, form.name, took, growth, size)
	}
}

// post sends a query and reads the response. Returns its size.
func post(client *http.Client, address, accept, sql string) (int64, error) {
	body, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+httpToken)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", accept)
	return drain(client.Do(request))
}

// drain reads a response with the status 200. Returns its size.
func drain(response *http.Response, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	size, err := io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return size, err
}

// measureExport measures the Parquet export of three years.
func measureExport(t *testing.T, folder string) {
	to := filepath.Join(t.TempDir(), "parquet")
	start := time.Now()
	run(t, exec.Command(binary, "export", "--data-dir", folder, "--format", "parquet", to))
	took := time.Since(start)
	size := func(root string) (size int64) {
		files, err := filepath.Glob(filepath.Join(root, "*.parquet"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files: ", err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
		}
		return size
	}(to)
	t.Logf("parquet  %7.1f s   %6.1f MB", took.Seconds(), float64(size)/1e6)
}

// measureRequests measures one-row queries of 64 clients, alternating with Datasette on the same
// file. The clients are those of wrk, which takes little of the processors.
func measureRequests(t *testing.T, folder, database string) {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Skip("requests are not measured: wrk is not in the PATH")
	}
	body, err := json.Marshal(map[string]string{"sql": oneRow})
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "post.lua")
	lines := []string{
		`wrk.method = "POST"`, fmt.Sprintf("wrk.body = %q", body),
		`wrk.headers["Content-Type"] = "application/json"`,
		fmt.Sprintf(`wrk.headers["Authorization"] = "Bearer %s"`, httpToken),
	}
	if err := os.WriteFile(script, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ := serveFolder(t, folder)
	datasette := startDatasette(t, database)
	for range 3 {
		rate, p99 := load(t, wrk, "--script", script, address+"/api/sql")
		t.Logf("serve      %8.0f requests/s  p99 %7.1f ms", rate, p99.Seconds()*1e3)
		if datasette == "" {
			continue
		}
		other, otherP99 := load(t, wrk, datasette+"/oura.json?sql="+url.QueryEscape(oneRow))
		t.Logf("datasette  %8.0f requests/s  p99 %7.1f ms  ratio %.1f", other,
			otherP99.Seconds()*1e3, rate/other)
	}
}

// startDatasette serves a database with Datasette. Returns its address, or an empty text without
// Datasette.
func startDatasette(t *testing.T, database string) string {
	t.Helper()
	program, err := exec.LookPath("datasette")
	if err != nil {
		t.Log("not compared with Datasette, which is not in the PATH")
		return ""
	}
	const address = "http://127.0.0.1:8765"
	command := exec.Command(program, "serve", "--immutable", database, "--port", "8765")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	err = await(func() (bool, error) {
		_, err := drain(http.Get(address + "/-/versions.json"))
		return err == nil, nil
	})
	if err != nil {
		t.Fatal("Datasette does not answer: ", err)
	}
	return address
}

// load sends requests of 64 clients for five seconds. Returns requests per second and the 99th
// percentile of their times.
func load(t *testing.T, wrk string, arguments ...string) (float64, time.Duration) {
	t.Helper()
	settings := []string{"--threads", "1", "--connections", "64", "--duration", "5s", "--latency"}
	output := run(t, exec.Command(wrk, append(settings, arguments...)...))
	if strings.Contains(output, "Non-2xx") || strings.Contains(output, "Socket errors") {
		t.Error("requests failed: ", output)
	}
	value := func(name string) string {
		_, after, _ := strings.Cut(output, name)
		line, _, _ := strings.Cut(after, "\n")
		return strings.TrimSpace(line)
	}
	rate, err := strconv.ParseFloat(value("Requests/sec:"), 64)
	if err != nil {
		t.Fatal("no rate in: ", output)
	}
	p99, err := time.ParseDuration(value("99%"))
	if err != nil {
		t.Fatal("no percentile in: ", output)
	}
	return rate, p99
}
