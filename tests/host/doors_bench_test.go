package host

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// openDoor starts a plugin that owns its data, and a plugin behind a door of an owner.
func openDoor(b *testing.B) (owned *Plugin, relay *Plugin, owner *Owner) {
	b.Helper()
	owned, err := startDirect(append(environment(b.TempDir(), unreachable), "GF_PLUGIN_LOG_LEVEL=error"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(owned.Kill)
	dataDir := b.TempDir()
	if owner, err = own(dataDir, environment(dataDir, unreachable)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(owner.kill)
	token, err := owner.token("add", "home", "--role", "door")
	if err != nil {
		b.Fatal(err)
	}
	if relay, err = startDirect(owner.door(token)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(relay.Kill)
	return owned, relay, owner
}

// took is the duration of one query without an error.
func took(b *testing.B, p *Plugin, query *pluginv2.DataQuery) time.Duration {
	b.Helper()
	request := &pluginv2.QueryDataRequest{
		PluginContext: oura.context(), Queries: []*pluginv2.DataQuery{query},
	}
	start := time.Now()
	answer, err := p.data.QueryData(context.Background(), request)
	duration := time.Since(start)
	if err != nil || answer.Responses[query.RefId].GetError() != "" {
		b.Fatalf("%v %v", err, answer.GetResponses()[query.RefId].GetError())
	}
	return duration
}

// median is in milliseconds.
func median(durations []time.Duration) float64 {
	slices.Sort(durations)
	return float64(durations[len(durations)/2].Microseconds()) / 1000
}

// BenchmarkDoor compares a plugin behind a door, over TLS on one machine, with one that owns its
// data. Both are called in turn.
//
// The resident memory contains pages of the program's file, and the kernel maps more of them after
// the file was written or read as a whole than after it was read on demand. Copy the file first to
// compare two programs.
func BenchmarkDoor(b *testing.B) {
	owned, relay, owner := openDoor(b)
	idle := residentPeak(b, relay.ReattachConfig().Pid)
	idleOwn := ownMemory(b, relay.ReattachConfig().Pid)
	for name, text := range map[string]string{
		"Small": "SELECT 1 AS one",
		"AMillionRows": `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)
			SELECT i, 2 * i AS twice, i / 7.0 AS third FROM n`,
	} {
		query := sql("A", "table", text)
		took(b, owned, query)
		took(b, relay, query)
		b.Run(name, func(b *testing.B) {
			var direct, through []time.Duration
			for b.Loop() {
				for range 10 {
					direct = append(direct, took(b, owned, query))
					through = append(through, took(b, relay, query))
				}
			}
			b.ReportMetric(median(direct), "direct-ms")
			b.ReportMetric(median(through), "door-ms")
		})
	}
	b.Run("Memory", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(float64(idle)/1e6, "idle-MB")
		b.ReportMetric(float64(idleOwn)/1e6, "idle-own-MB")
		b.ReportMetric(float64(residentPeak(b, relay.ReattachConfig().Pid))/1e6, "peak-MB")
	})
	b.Run("OwnerBack", func(b *testing.B) {
		var back []time.Duration
		for b.Loop() {
			owner.kill()
			if err := owner.start(environment(owner.dataDir, unreachable), owner.address); err != nil {
				b.Fatal(err)
			}
			back = append(back, took(b, relay, sql("A", "table", "SELECT 1 AS one")))
		}
		b.ReportMetric(median(back), "answer-ms")
	})
}
