//go:build bench

package host

import (
	"context"
	database "database/sql"
	endian "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// benchPlugin is a plugin on a copy of ten years, connected to a simulator with another person, so
// that a history load writes other data.
type benchPlugin struct {
	*Plugin
	end time.Time
}

func openBenchPlugin(b testing.TB) benchPlugin {
	b.Helper()
	folder := b.TempDir()
	path := filepath.Join(folder, "1", oura.UID, "oura.db")
	end := copyDatabase(b, tenYears(b), path)
	origin := simulated(b, "--days", "3650", "--seed", "2")
	plugin, err := start(append(environment(folder, origin), "GF_PLUGIN_LOG_LEVEL=error"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(plugin.Kill)
	if err := connect(plugin, oura); err != nil {
		b.Fatal(err)
	}
	h := benchPlugin{plugin, end}
	err = await(func() (bool, error) {
		running, err := h.syncing()
		return !running, err
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// copyDatabase copies a database and returns the time of its last heart rate.
func copyDatabase(b testing.TB, from, to string) time.Time {
	b.Helper()
	source, err := database.Open("sqlite3", "file:"+from+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	var last int64
	query := "SELECT CAST(max(time) AS INTEGER) + 0 FROM heartrate"
	if err := source.QueryRow(query).Scan(&last); err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		b.Fatal(err)
	}
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	// A data source accepts another person only without documents.
	copied, err := database.Open("sqlite3", "file:"+to)
	if err != nil {
		b.Fatal(err)
	}
	_, err = copied.Exec(`PRAGMA journal_mode = DELETE;
		DELETE FROM oura_raw_documents WHERE resource = 'personal_info';
		UPDATE collections SET documents = 0`)
	if err == nil {
		err = copied.Close()
	}
	if err == nil {
		err = renewChecksums(to)
	}
	if err != nil {
		b.Fatal(err)
	}
	return time.Unix(last, 0)
}

// renewChecksums writes the checksum at the end of each page, which SQLite alone does not renew.
func renewChecksums(path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	words := endian.LittleEndian
	for page := range slices.Chunk(file, int(endian.BigEndian.Uint16(file[16:]))) {
		body, stored := page[:len(page)-8], page[len(page)-8:]
		var first, second uint32
		for pair := range slices.Chunk(body, 8) {
			first += words.Uint32(pair) + second
			second += words.Uint32(pair[4:]) + first
		}
		words.PutUint32(stored, first)
		words.PutUint32(stored[4:], second)
	}
	return os.WriteFile(path, file, 0o600)
}

func (h benchPlugin) syncing() (bool, error) {
	status, err := h.resource(oura, http.MethodGet, "status", nil)
	return status.field("sync", "running") == true, err
}

// over is a query over the last years with steps of the given length.
func (h benchPlugin) over(years int, step time.Duration, query []byte) *pluginv2.DataQuery {
	return &pluginv2.DataQuery{
		RefId:         "A",
		MaxDataPoints: 1000,
		IntervalMS:    step.Milliseconds(),
		TimeRange: &pluginv2.TimeRange{
			FromEpochMS: h.end.AddDate(-years, 0, 0).UnixMilli(), ToEpochMS: h.end.UnixMilli(),
		},
		Json: query,
	}
}

// ask returns the time of the response and the bytes of its frames.
func (h benchPlugin) ask(query *pluginv2.DataQuery) (time.Duration, int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request := &pluginv2.QueryDataRequest{
		PluginContext: oura.context(), Queries: []*pluginv2.DataQuery{query},
	}
	start := time.Now()
	answer, err := h.data.QueryData(ctx, request)
	took := time.Since(start)
	if err != nil {
		return took, 0, err
	}
	response := answer.Responses[query.RefId]
	if response.GetError() != "" {
		return took, 0, fmt.Errorf("%s: %s", response.Error, query.Json)
	}
	bytes := 0
	for _, frame := range response.GetFrames() {
		bytes += len(frame)
	}
	return took, bytes, nil
}

// quantiles has the durations for the table in docs/performance.md.
type quantiles []time.Duration

func (q quantiles) report(b *testing.B, name string) {
	slices.Sort(q)
	at := func(share float64) float64 {
		index := int(share*float64(len(q)-1) + 0.5)
		return float64(q[index].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), name+"median-ms")
	b.ReportMetric(at(0.95), name+"p95-ms")
}

func measured(b *testing.B, h benchPlugin, query *pluginv2.DataQuery) {
	b.Helper()
	var took quantiles
	for b.Loop() {
		one, _, err := h.ask(query)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, one)
	}
	took.report(b, "")
}

func sqlQuery(text string) []byte {
	encoded, err := json.Marshal(map[string]any{
		"queryType": "sql", "format": "time_series", "rawSql": text,
	})
	if err != nil {
		panic(err)
	}
	return encoded
}

func heartRateBy(table string) []byte {
	return sqlQuery("SELECT $__timeGroup(time, $__interval) AS time, " +
		"sum(sum) / sum(count) AS average, min(minimum) AS lowest, max(maximum) AS highest " +
		"FROM " + table + " WHERE $__timeFilter(time) GROUP BY 1 ORDER BY 1")
}

// dashboard has the queries of the overview dashboard by panel.
func dashboard(b *testing.B) map[string]json.RawMessage {
	b.Helper()
	content, err := os.ReadFile("../../provisioning/dashboards/oura-overview.json")
	if err != nil {
		b.Fatal(err)
	}
	var overview struct {
		Panels     []panel `json:"panels"`
		Templating struct {
			List []variable `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(content, &overview); err != nil {
		b.Fatal(err)
	}
	queries := make(map[string]json.RawMessage)
	for _, panel := range flat(overview.Panels) {
		for _, target := range panel.Targets {
			queries[panel.Type+" "+panel.Title] = withDefaults(target, overview.Templating.List)
		}
	}
	return queries
}

// BenchmarkPanels sends one query after the other to a running plugin. It measures QueryData over
// gRPC, from call to response.
func BenchmarkPanels(b *testing.B) {
	h := openBenchPlugin(b)
	for name, target := range dashboard(b) {
		b.Run("Year/"+name, func(b *testing.B) { measured(b, h, h.over(1, 6*time.Hour, target)) })
	}
	b.Run("HeartRate/1year", func(b *testing.B) {
		measured(b, h, h.over(1, 6*time.Hour, heartRateBy("heartrate_1h")))
	})
	b.Run("HeartRate/10years", func(b *testing.B) {
		measured(b, h, h.over(10, 24*time.Hour, heartRateBy("heartrate_1d")))
	})
	b.Run("AMillionRows", func(b *testing.B) { millionRows(b, h) })
}

// TestPanelsOfTenYears checks all panels on ten years of data.
func TestPanelsOfTenYears(t *testing.T) {
	h := openBenchPlugin(t)
	checkPanels(t, h.Plugin, oura, h.end, true)
}

// BenchmarkDashboards sends all queries of a dashboard one after the other: panels, annotations and
// variables.
func BenchmarkDashboards(b *testing.B) {
	h := openBenchPlugin(b)
	for dashboard, queries := range queriesByName(b) {
		for years, step := range map[int]time.Duration{1: 6 * time.Hour, 10: 72 * time.Hour} {
			b.Run(fmt.Sprintf("%s/%dyears", dashboard, years), func(b *testing.B) {
				h.sum(b, years, step, queries)
			})
		}
	}
}

// sum reports the time of all queries, and the slowest one of the last round.
func (h benchPlugin) sum(b *testing.B, years int, step time.Duration, queries map[string]json.RawMessage) {
	var took quantiles
	slowest := make(map[string]time.Duration)
	for b.Loop() {
		sum := time.Duration(0)
		for name, target := range queries {
			one, _, err := h.ask(h.over(years, step, withValues(target, defaults)))
			if err != nil {
				b.Fatal(err)
			}
			sum += one
			slowest[name] = one
		}
		took = append(took, sum)
	}
	took.report(b, "")
	names := slices.SortedFunc(maps.Keys(slowest), func(one, other string) int {
		return int(slowest[other] - slowest[one])
	})
	for _, name := range names[:min(3, len(names))] {
		b.Logf("%s: %.1f ms", name, float64(slowest[name].Microseconds())/1000)
	}
}

// millionRows also reports the peak of additional memory as a multiple of the size of the frame.
func millionRows(b *testing.B, h benchPlugin) {
	text := `{"queryType":"sql","format":"table","rawSql":"` + heartRates + `"}`
	query := h.over(10, time.Hour, []byte(text))
	before := h.memory(b, "VmRSS")
	var took quantiles
	frame := 0
	for b.Loop() {
		one, bytes, err := h.ask(query)
		if err != nil {
			b.Fatal(err)
		}
		took, frame = append(took, one), bytes
	}
	took.report(b, "")
	b.ReportMetric(float64(frame)/1e6, "frame-MB")
	b.ReportMetric((h.memory(b, "VmHWM")-before)/float64(frame), "peak/frame")
}

// memory is one line of the plugin's /proc/<pid>/status in bytes.
func (h benchPlugin) memory(b *testing.B, line string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.ReattachConfig().Pid))
	if err != nil {
		b.Skip("only Linux reports the memory")
	}
	for _, text := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(text, line+":"); ok {
			kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes * 1024
		}
	}
	return 0
}

// BenchmarkSixteenPanelsAtOnce opens a dashboard of sixteen panels many times, without and during a
// history load.
func BenchmarkSixteenPanelsAtOnce(b *testing.B) {
	h := openBenchPlugin(b)
	all := dashboard(b)
	var queries []*pluginv2.DataQuery
	for _, target := range all {
		if len(queries) < 16 {
			queries = append(queries, h.over(1, 6*time.Hour, target))
		}
	}
	b.Run("idle", func(b *testing.B) { h.atOnce(b, queries) })
	b.Run("loading", func(b *testing.B) {
		answer, err := h.resource(oura, http.MethodPost, "backfill?days=3650", map[string]any{})
		if err != nil || answer.Code >= 300 {
			b.Fatalf("%v %d %s", err, answer.Code, answer.Body)
		}
		h.atOnce(b, queries)
		running, err := h.syncing()
		if err != nil || !running {
			b.Fatalf("the load ended before the benchmark: %v", err)
		}
	})
}

func (h benchPlugin) atOnce(b *testing.B, queries []*pluginv2.DataQuery) {
	var mutex sync.Mutex
	var took quantiles
	for b.Loop() {
		var asked sync.WaitGroup
		for _, query := range queries {
			asked.Go(func() {
				one, _, err := h.ask(query)
				mutex.Lock()
				defer mutex.Unlock()
				took = append(took, one)
				if err != nil {
					b.Error(err)
				}
			})
		}
		asked.Wait()
	}
	took.report(b, "")
}
